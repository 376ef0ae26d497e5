"""Settings of a log-mel, separate from the layer so that a profile can be read without torch."""

from __future__ import annotations

from dataclasses import dataclass

from melcodec_cli.layers.settings import require, require_range

MAX_SAMPLES = 1 << 16
MAX_FILTER_VALUES = 1 << 22  # values in the mel filters: 1024 bands at 4096 samples


@dataclass(frozen=True)
class MelConfig:
    rate_hz: int = 16000
    fft_samples: int = 1024
    window_samples: int = 640
    hop_samples: int = 160
    bands: int = 80
    low_hz: float = 0.0
    high_hz: float = 8000.0
    floor: float = 1e-5  # smaller mel magnitudes are raised to this before the logarithm

    def __post_init__(self) -> None:
        require_range("mel.", self, 4_000, 384_000, "rate_hz")
        require_range("mel.", self, 2, MAX_SAMPLES, "fft_samples", "window_samples", "hop_samples")
        require_range("mel.", self, 1, 1024, "bands")
        require_range("mel.", self, 1e-12, 1, "floor")
        require(self.hop_samples <= self.window_samples, "mel.hop_samples must not exceed mel.window_samples")
        require(self.window_samples <= self.fft_samples, "mel.window_samples must not exceed mel.fft_samples")
        require(
            0 <= self.low_hz < self.high_hz <= self.rate_hz / 2, "mel.high_hz must lie in (low_hz, rate/2]"
        )
        require(self.high_hz - self.low_hz >= self.bands, "mel.bands must each be at least 1 Hz wide")
        require(
            self.bands * self.fft_samples <= MAX_FILTER_VALUES,
            f"mel.bands times mel.fft_samples must be at most {MAX_FILTER_VALUES}",
        )
        require(self.hop_samples % 2 == 0, "mel.hop_samples must be even: frames are centred on their hop")

    @property
    def frames_per_s(self) -> float:
        return self.rate_hz / self.hop_samples
