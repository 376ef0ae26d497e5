"""Settings of a pitch stage, separate from the layer so that a profile can be read without torch."""

from __future__ import annotations

from dataclasses import dataclass

from melcodec_cli.layers.settings import require, require_range

MAX_WIDTH, MAX_BLOCKS = 4096, 64


@dataclass(frozen=True)
class PitchScaleConfig:
    """Bins of pitch, evenly spaced in octaves."""

    bins: int = 128
    low_hz: float = 60.0
    high_hz: float = 500.0

    def __post_init__(self) -> None:
        require_range("pitch.", self, 8, 4096, "bins")
        require(1 <= self.low_hz < self.high_hz <= 100_000, "pitch.high_hz must lie in (low_hz, 100000]")


@dataclass(frozen=True)
class PitchConfig(PitchScaleConfig):
    width: int = 128
    blocks: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("pitch.", self, 1, MAX_WIDTH, "width")
        require_range("pitch.", self, 0, MAX_BLOCKS, "blocks")
