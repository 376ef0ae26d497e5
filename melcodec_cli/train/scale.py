"""The axes of a log-mel picture: seconds, and the frequencies of the bands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.errors import MelcodecError
from melcodec_cli.train.history import legs_of

TICKS_HZ = (0, 500, 1000, 2000, 4000, 8000, 16_000)


@dataclass(frozen=True)
class Scale:
    frame_s: float
    bands_hz: NDArray[np.float64]  # the middle of each band

    def ticks(self) -> tuple[list[float], list[str]]:
        """Positions and labels of round frequencies among the bands."""
        shown = [hz for hz in TICKS_HZ if hz <= self.bands_hz[-1]]
        places = np.interp(shown, self.bands_hz, np.arange(len(self.bands_hz)))
        return [float(place) for place in places], [f"{hz / 1000:g} kHz" if hz else "0" for hz in shown]


def scale_of(stage_file: Path, bands: int) -> Scale | None:
    """The scale from the preset that the stage was trained with; None if that is unknown."""
    from melcodec_cli.layers.mel import slaney_filters
    from melcodec_cli.layers.mel_config import MelConfig
    from melcodec_cli.train.presets import read_preset

    if not stage_file.exists():
        return None
    try:
        mel = read_preset(_preset_of(stage_file)).profile["mel"]
        config = MelConfig(**mel)
    except (MelcodecError, OSError, KeyError, TypeError, ValueError):
        return None  # the preset no longer exists, or the system has no mels
    if config.bands != bands:
        return None
    middles = slaney_filters(config).argmax(axis=0) * config.rate_hz / config.fft_samples
    return Scale(config.hop_samples / config.rate_hz, middles)


def _preset_of(stage_file: Path) -> str:
    """The --preset of the stage's last training, with "~" expanded."""
    legs = legs_of(stage_file, stage_file.parent.name)
    words = shlex.split(legs[-1].command) if legs else []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--preset":
            return str(Path(following).expanduser()) if following.endswith(".toml") else following
        if word.startswith("--preset="):
            return word.partition("=")[2]
    return "speech-16k"
