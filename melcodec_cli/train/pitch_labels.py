"""Crops with pitch labels, which WORLD measures on the audio."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.pitch_config import PitchScaleConfig
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.batches import Batches, Crops
from melcodec_cli.train.stage import Drawing
from melcodec_cli.train.stages import dev_beginnings

LABEL_RATE_HZ = 16000  # DIO's time is proportional to the rate, and pitch lies far below half of this one
# DIO decides differently on one frame in ten if its frames are moved by half a period.  So it runs several times, at
# offsets spread over a period, and the stage learns the share of "voiced" among its answers.
OPINION_PERIOD_S = 0.01  # that of the measure for decoded speech; other periods give other decisions
OPINIONS = 4  # the least number of answers
DECIMATION = 2  # of the signal for each answer: three times as fast, same result in 98 % of frames


@dataclass(frozen=True)
class Pitched(Crops):
    pitch_hz: Tensor  # (batch, frame), at the centre of the frame, 0 where unvoiced
    voiced: Tensor  # (batch, frame), share of DIO's answers around it that are "voiced"


class PitchedBatches:
    """Crops with their labels, drawn on the CPU, where WORLD runs."""

    def __init__(
        self, batches: Batches, mel: MelConfig, pitch: PitchScaleConfig, late_samples: int = 0
    ) -> None:
        self.batches, self.mel, self.pitch, self.late_samples = batches, mel, pitch, late_samples

    def draw(self, batch: int, samples: int, seed: int) -> Pitched:
        crops = self.batches.draw(batch, samples, seed)
        return pitched(crops, self.mel, self.pitch, self.late_samples)

    def unlabelled(self, batch: int, samples: int, seed: int) -> Crops:
        return self.batches.draw(batch, samples, seed)


def pitched(crops: Crops, mel: MelConfig, pitch: PitchScaleConfig, late_samples: int = 0) -> Pitched:
    """late_samples: how long before the centre of a frame its pitch is measured."""
    audio = nn.functional.pad(crops.audio, (late_samples, -late_samples))
    pitch_hz, voiced = measured_pitch(audio, mel, pitch)
    return Pitched(**vars(crops), pitch_hz=pitch_hz, voiced=voiced)


def measured_pitch(audio: Tensor, mel: MelConfig, pitch: PitchScaleConfig) -> tuple[Tensor, Tensor]:
    """(batch, samples) -> frequency at the centre of each frame by WORLD's DIO and StoneMask, 0 where unvoiced, and the
    share of DIO's answers around it that are "voiced": (batch, frame) each."""
    import pyworld
    import soxr

    rate, hop = mel.rate_hz, mel.hop_samples
    label_rate = min(rate, LABEL_RATE_HZ)
    frames = audio.shape[1] // hop
    range_hz = {"f0_floor": pitch.low_hz, "f0_ceil": pitch.high_hz}
    rows, shares = [], []
    for signal in audio.double().numpy():
        # Shifted before resampling, as half a hop may not be a whole number of samples at the lower rate.
        shifted = soxr.resample(np.append(signal[hop // 2 :], np.zeros(hop)), rate, label_rate)
        rough, times = pyworld.dio(shifted, label_rate, frame_period=1000 * hop / rate, **range_hz)
        fine = pyworld.stonemask(shifted, rough, times, label_rate)[:frames]
        fine[(fine < pitch.low_hz) | (fine > pitch.high_hz)] = 0
        rows.append(fine)
        shares.append(
            _voiced_share(soxr.resample(signal, rate, label_rate), label_rate, frames, hop / rate, range_hz)
        )
    hz, share = (torch.from_numpy(np.stack(x)).float() for x in (rows, shares))
    return hz, share


def _voiced_share(
    signal: NDArray[np.float64], rate_hz: int, frames: int, hop_s: float, range_hz: dict[str, float]
) -> NDArray[np.float64]:
    """Share of "voiced" among the answers within half a period of the centre of each frame."""
    import pyworld

    per_hop = max(2, -(-round(OPINIONS * hop_s / OPINION_PERIOD_S) // 2) * 2)
    opinions = round(OPINION_PERIOD_S / hop_s * per_hop)
    period = round(OPINION_PERIOD_S * rate_hz)
    begin = np.append(np.zeros(period), np.append(signal, np.zeros(2 * period)))
    tracks = [
        pyworld.dio(
            begin[round((place + 0.5) * period / opinions) :],
            rate_hz,
            frame_period=1000 * OPINION_PERIOD_S,
            speed=DECIMATION,
            **range_hz,
        )[0]
        for place in range(opinions)
    ]
    shortest = min(map(len, tracks))
    # In order of time, from one period before the signal.
    voiced = np.stack([track[:shortest] > 0 for track in tracks], axis=1).flatten()
    total = np.append(0, np.cumsum(voiced))
    first = opinions // 2 + np.arange(frames) * per_hop + per_hop // 2
    return (total[first + opinions] - total[first]) / opinions


def labelled_crops(
    drawing: Drawing, mel: MelConfig, pitch: PitchScaleConfig, late_samples: int = 0
) -> tuple[Source, Crops]:
    """Crops for a stage whose batches carry labels.  late_samples: as in `pitched`."""
    preset, cpu = drawing.preset, torch.device("cpu")
    batches = Batches(drawing.corpus, "train", cpu, preset.corpus.weights, preset.augmentation)
    dev = pitched(dev_beginnings(drawing), mel, pitch, late_samples)
    return PitchedBatches(batches, mel, pitch, late_samples), dev


def require_world(folders: list[Path]) -> None:
    """Import the package before training starts: it may be hours until it is used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("pyworld")
    except ImportError as error:
        raise UsageProblem(
            f"training the pitch stage needs the extra: pip install 'melcodec[train]' ({error})"
        ) from None
