"""Profiles of phoenix, as frozen data.

The networks know time in frames and frequency in Hz, not in samples.  So profiles that differ only in `rate_hz` have
the same weights: one can be trained on audio at 16 kHz and run at 24 or 48.

Bundles may come from untrusted sources, so every size has a limit, far above any useful value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from melcodec_cli.layers.pitch_config import PitchScaleConfig
from melcodec_cli.layers.settings import require, require_range
from melcodec_cli.systems.profile import SystemProfile

CORE_HZ = 16_000  # the rate at which the time-domain decoder works
DECODERS = ("time", "istft", "harmonic")
RATES_HZ = (16_000, 24_000, 48_000)
HIGH_HZ = 8_000  # nothing above it is coded
MAX_CHANNELS, MAX_KERNEL, MAX_LEVELS = 1024, 64, 8
MAX_VALUES = 1 << 14  # of one layer in a frame: a chunk of 60 s is in memory as a whole
MAX_CHUNK_S, MAX_WARMUP_S = 60, 10


@dataclass(frozen=True)
class EncoderConfig:
    """Levels at which frequencies are merged, and at which each band that is left has a GRU over time."""

    strides: tuple[int, ...] = (5, 4, 4, 3)  # bins, later bands, that become one
    channels: tuple[int, ...] = (32, 32, 128, 304)  # after each merger; published: 335 at last
    logarithms: bool = False  # also hear those of magnitudes, and let latents have them directly

    def __post_init__(self) -> None:
        require_levels("encoder", self.strides, self.channels, lambda level: math.prod(self.strides[level:]))


@dataclass(frozen=True)
class QuantiserConfig:
    stages: int = 6
    codewords: int = 4096  # of each stage
    lookup_width: int = 8  # codewords are compared in this many dimensions

    def __post_init__(self) -> None:
        require_range("quantiser.", self, 1, 32, "stages")
        require_range("quantiser.", self, 2, 65536, "codewords")
        require_range("quantiser.", self, 1, MAX_CHANNELS, "lookup_width")

    @property
    def index_bits(self) -> int:
        return (self.codewords - 1).bit_length()


@dataclass(frozen=True)
class TimeConfig:
    """The published decoder: an LSTM at the frame rate, then upsampling to samples of 16 kHz."""

    first_channels: int = 112  # published: 117
    strides: tuple[int, ...] = (3, 4, 4, 4)  # upsampling of each level
    channels: tuple[int, ...] = (56, 32, 16, 8)  # published: 58, 29, 14, 7; multiples of 8 are faster
    kernels: tuple[int, ...] = (7, 9, 9, 11)  # of each level's units; the look-ahead is half of it
    units: tuple[int, ...] = (2, 2, 2, 2)  # of each level; only the first looks ahead

    def __post_init__(self) -> None:
        require_levels("time", self.strides, self.channels, lambda level: math.prod(self.strides[:level]))
        require_range("time.", self, 1, MAX_CHANNELS, "first_channels")
        require(
            len(self.kernels) == len(self.strides)
            and all(1 <= kernel <= MAX_KERNEL and kernel % 2 for kernel in self.kernels),
            f"time.kernels must be odd numbers of 1 to {MAX_KERNEL}, one for each of time.strides",
        )
        require(
            len(self.units) == len(self.strides) and all(1 <= units <= 8 for units in self.units),
            "time.units must be numbers of 1 to 8, one for each of time.strides",
        )


@dataclass(frozen=True)
class BinsConfig:
    """The encoder in reverse: frames become bands, then bins, of which each frame's stretch of audio is made."""

    part: ClassVar[str] = "harmonic"  # what it is called in a profile
    first_channels: int = 160
    strides: tuple[int, ...] = (3, 4, 4, 5)  # bands, at last bins, that each becomes
    channels: tuple[int, ...] = (64, 32, 32)  # after each split but the last
    direct: bool = False  # let bins also have the first frames directly

    def __post_init__(self) -> None:
        # The last level has three values of each bin.
        require_levels(
            self.part, self.strides, (*self.channels, 3), lambda level: math.prod(self.strides[:level])
        )
        require_range(f"{self.part}.", self, 1, MAX_CHANNELS, "first_channels")


@dataclass(frozen=True)
class IstftConfig(BinsConfig):
    part: ClassVar[str] = "istft"
    window_ms: int = 30  # length of the stretch; it ends with the frame, so this is the latency

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("istft.", self, 1, 1000, "window_ms")


@dataclass(frozen=True)
class Profile(SystemProfile):
    system = "phoenix"
    name: str = "speech-24k-live"
    rate_hz: int = 24_000
    window_ms: int = 30  # of the spectrum
    hop_ms: int = 12  # a frame
    chunk_frames: int = 1667  # 20 s
    warmup_frames: int = 84  # 1 s before each chunk, in which the recurrent layers learn what came before
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    quantiser: QuantiserConfig = field(default_factory=QuantiserConfig)
    decoder: str = "time"  # one of DECODERS, each of which has a table
    time: TimeConfig = field(default_factory=TimeConfig)
    istft: IstftConfig = field(default_factory=IstftConfig)
    harmonic: BinsConfig = field(default_factory=BinsConfig)
    pitch: PitchScaleConfig = field(default_factory=PitchScaleConfig)  # for harmonic

    def __post_init__(self) -> None:
        require(self.rate_hz in RATES_HZ, f"rate_hz {self.rate_hz!r} must be 16000, 24000 or 48000")
        require_range("", self, 2, 200, "window_ms", "hop_ms")
        require(self.hop_ms <= self.window_ms, "hop_ms must not exceed window_ms")
        require_range("", self, 1, MAX_CHUNK_S * 1000 // self.hop_ms, "chunk_frames")
        require_range("", self, 0, MAX_WARMUP_S * 1000 // self.hop_ms, "warmup_frames")
        require(self.decoder in DECODERS, f"decoder {self.decoder!r} must be one of {', '.join(DECODERS)}")
        require(
            math.prod(self.encoder.strides) == self.bins,
            f"the product of encoder.strides must be the number of bins, {self.bins}",
        )
        if self.decoder == "time":
            require(
                math.prod(self.time.strides) == self.hop_ms * CORE_HZ // 1000,
                "the product of time.strides must be the hop in samples of 16 kHz",
            )
        else:
            strides = (self.istft if self.decoder == "istft" else self.harmonic).strides
            require(
                math.prod(strides) == self.bins,
                f"the product of {self.decoder}.strides must be the number of bins, {self.bins}",
            )
        if self.decoder == "istft":
            require(
                self.hop_ms < self.istft.window_ms <= self.window_ms,
                "istft.window_ms must be longer than hop_ms and at most window_ms",
            )

    @property
    def bins(self) -> int:
        """Bins of the spectrum from 0 to 8 kHz."""
        return HIGH_HZ * self.window_ms // 1000

    @property
    def window_samples(self) -> int:
        return self.window_ms * self.rate_hz // 1000

    @property
    def hop_samples(self) -> int:
        return self.hop_ms * self.rate_hz // 1000


def require_levels(
    part: str, strides: tuple[int, ...], channels: tuple[int, ...], places: Callable[[int], int]
) -> None:
    """Require as many strides as channels, and a bounded size of each level.

    places: how many bands or samples of a frame there are after so many strides.
    """
    require(
        1 <= len(strides) <= MAX_LEVELS and len(channels) == len(strides),
        f"{part}.strides and {part}.channels must have the same number of values, 1 to {MAX_LEVELS}",
    )
    for name, values in (("strides", strides), ("channels", channels)):
        require(
            all(1 <= value <= MAX_CHANNELS for value in values),
            f"{part}.{name} must lie in 1..{MAX_CHANNELS}",
        )
    for level, width in enumerate(channels, 1):
        require(
            width * places(level) <= MAX_VALUES,
            f"{part}.channels make more than {MAX_VALUES} values of a frame",
        )
