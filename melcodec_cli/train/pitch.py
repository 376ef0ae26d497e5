"""Training of the pitch stage, on labels that WORLD measures on the audio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from melcodec_cli.chain.coder import Coder
from melcodec_cli.chain.pitch import Pitch
from melcodec_cli.chain.profile import Profile
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.coded import coded_mel
from melcodec_cli.train.task import Moment, Task

LABEL_RATE_HZ = 16000  # DIO takes time in proportion to the rate, and pitch lies far below half of this one
# DIO calls one frame in ten otherwise when all of its frames lie half a period later.  So it is asked several times,
# at places spread over a period: what there is to be learned is how many of the answers are "voiced".
OPINION_PERIOD_S = 0.01  # of the measure that decoded speech is judged by; other periods give other decisions
OPINIONS = 4  # at least
DECIMATION = 2  # of the signal, for an opinion: three times as fast, and the same in 98 frames of 100


@dataclass(frozen=True)
class PitchLosses:
    voicing: float = 1.0
    spread_bins: float = 1.2  # width of the soft target
    coded: float = 0.5  # share of steps on mels that went through the coder, if there is one


class PitchTask(Task):
    stage: Pitch

    def __init__(self, profile: Profile, losses: PitchLosses, coder: Coder | None = None) -> None:
        super().__init__(profile)
        assert profile.pitch is not None
        self.losses = losses
        self.stage = Pitch(profile.mel.bands, profile.pitch)
        self.coder = [coder] if coder else []  # in a list: not a sub-module, so neither trained nor saved

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        with torch.no_grad():
            mel = self.mel(crops.audio)
            if self.coder and torch.rand(()).item() < self.losses.coded:
                mel = coded_mel(self.coder[0], mel)
        pitch_hz, share = measured_pitch(crops.audio, self.profile)
        voiced = pitch_hz > 0
        logits, voicing = self.stage.scores(mel)
        bins = torch.arange(logits.shape[-1], device=mel.device)
        distance = (bins - self.stage.bin_of(pitch_hz).unsqueeze(-1)) / self.losses.spread_bins
        target = torch.softmax(-0.5 * distance.square(), -1)
        height = cross_entropy(logits[voiced], target[voiced]) if voiced.any() else logits.sum() * 0
        decision = binary_cross_entropy_with_logits(voicing, share)
        loss = height + self.losses.voicing * decision
        return loss, {"height": height.item(), "voicing": decision.item()}

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        audio = crops.audio
        truth = measured_pitch(audio, self.profile)
        mel = self.mel(audio)
        figures = _errors("", truth, self.stage(mel))
        if self.coder:
            figures |= _errors("coded_", truth, self.stage(coded_mel(self.coder[0], mel)))
        return figures

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel = self.mel(crops.audio[:1])
        return [mel[0], *(coded_mel(coder, mel)[0] for coder in self.coder)]

    @torch.no_grad()
    def curves(self, crops: Crops) -> dict[str, Tensor]:
        truth_hz = measured_pitch(crops.audio[:1], self.profile)[0][0]
        curves = {"measured": truth_hz.where(truth_hz > 0, torch.nan)}
        names = ("estimated from the original mel", "estimated from the coded mel")
        for name, mel in zip(names, self.picture(crops), strict=False):
            pitch_hz, voicing = self.stage(mel.unsqueeze(0))
            curves[name] = pitch_hz[0].where(voicing[0] > 0.5, torch.nan)
        return curves


def _errors(prefix: str, truth: tuple[Tensor, Tensor], estimate: tuple[Tensor, Tensor]) -> dict[str, float]:
    truth_hz, share = truth
    pitch_hz, voicing = estimate
    voiced = truth_hz > 0
    cents = 1200 * (pitch_hz[voiced] / truth_hz[voiced]).log2().abs()
    return {
        # Of a decision, against an opinion taken at random: no estimate can bring it to nothing.
        f"{prefix}voicing_error": ((voicing > 0.5).float() - share).abs().mean().item(),
        f"{prefix}median_cents": cents.median().item(),
        f"{prefix}gross_error": (cents > 316).float().mean().item(),  # off by a fifth or more
    }


def measured_pitch(audio: Tensor, profile: Profile) -> tuple[Tensor, Tensor]:
    """(batch, samples) -> of each frame the frequency at its centre, 0 where unvoiced, by WORLD's DIO and StoneMask,
    and the share of DIO's opinions around it that are "voiced": (batch, frame) each."""
    import pyworld
    import soxr

    assert profile.pitch is not None
    rate, hop = profile.mel.rate_hz, profile.mel.hop_samples
    label_rate = min(rate, LABEL_RATE_HZ)
    frames = audio.shape[1] // hop
    range_hz = {"f0_floor": profile.pitch.low_hz, "f0_ceil": profile.pitch.high_hz}
    rows, shares = [], []
    for signal in audio.cpu().double().numpy():
        # Shifted before it is resampled, as half a hop need not be whole samples at the lower rate.
        shifted = soxr.resample(np.append(signal[hop // 2 :], np.zeros(hop)), rate, label_rate)
        rough, times = pyworld.dio(shifted, label_rate, frame_period=1000 * hop / rate, **range_hz)
        fine = pyworld.stonemask(shifted, rough, times, label_rate)[:frames]
        fine[(fine < profile.pitch.low_hz) | (fine > profile.pitch.high_hz)] = 0
        rows.append(fine)
        shares.append(
            _voiced_share(soxr.resample(signal, rate, label_rate), label_rate, frames, hop / rate, range_hz)
        )
    hz, share = (torch.from_numpy(np.stack(x)).float().to(audio.device) for x in (rows, shares))
    return hz, share


def _voiced_share(
    signal: NDArray[np.float64], rate_hz: int, frames: int, hop_s: float, range_hz: dict[str, float]
) -> NDArray[np.float64]:
    """Of the opinions within half a period of the centre of each frame."""
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
    # One after the other in time, from a period before the signal.
    voiced = np.stack([track[:shortest] > 0 for track in tracks], axis=1).flatten()
    total = np.append(0, np.cumsum(voiced))
    first = opinions // 2 + np.arange(frames) * per_hop + per_hop // 2
    return (total[first + opinions] - total[first]) / opinions
