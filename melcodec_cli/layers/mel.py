"""Front end: audio to log-mel frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melcodec_cli.layers.mel_config import MelConfig

FRAMES_AT_ONCE = 256  # more would only take more memory


def slaney_filters(config: MelConfig) -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's scale (linear to 1 kHz, logarithmic above): (fft // 2 + 1, bands)."""
    linear_hz, log_start_hz, log_step = 200.0 / 3, 1000.0, np.log(6.4) / 27

    def to_mel(hz: float) -> float:
        if hz < log_start_hz:
            return hz / linear_hz
        return float(log_start_hz / linear_hz + np.log(hz / log_start_hz) / log_step)

    mels = np.linspace(to_mel(config.low_hz), to_mel(config.high_hz), config.bands + 2)
    log_part = log_start_hz * np.exp(log_step * (mels - log_start_hz / linear_hz))
    edges_hz = np.where(mels < log_start_hz / linear_hz, mels * linear_hz, log_part)
    bins_hz = np.arange(config.fft_samples // 2 + 1) * config.rate_hz / config.fft_samples
    widths = np.diff(edges_hz)
    rising = (bins_hz[:, None] - edges_hz[:-2]) / widths[:-1]
    falling = (edges_hz[2:] - bins_hz[:, None]) / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return triangles.astype(np.float32)


class LogMel(nn.Module):
    """Log-mel with frame k centred on the middle of hop k, so that N hops of samples make exactly N frames."""

    window: Tensor
    filters: Tensor

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer(
            "window", torch.hann_window(config.window_samples, device="cpu"), persistent=False
        )
        self.register_buffer("filters", torch.from_numpy(slaney_filters(config)), persistent=False)

    @property
    def context_frames(self) -> int:
        """How many frames beyond an edge the window of the outermost frame reaches."""
        return -(-(self.config.window_samples - self.config.hop_samples) // (2 * self.config.hop_samples))

    @property
    def silence(self) -> float:
        """Value of every band in digital silence."""
        return float(np.log(self.config.floor))

    def forward(self, audio: Tensor) -> Tensor:
        """(batch, hops * hop_samples) -> (batch, hops, bands)."""
        overlap = self.config.fft_samples - self.config.hop_samples
        return self.inside(nn.functional.pad(audio.float(), (overlap // 2, overlap // 2)))

    def inside(self, padded: Tensor) -> Tensor:
        """The frames whose windows lie wholly within the samples: (batch, sample) -> (batch, frame, band)."""
        hop, overlap = self.config.hop_samples, self.config.fft_samples - self.config.hop_samples
        firsts = range(0, padded.shape[1] - overlap, FRAMES_AT_ONCE * hop)
        spans = (padded[:, first : first + FRAMES_AT_ONCE * hop + overlap] for first in firsts)
        return torch.cat([self._log_mel(span) for span in spans], 1)

    def _log_mel(self, padded: Tensor) -> Tensor:
        """(batch, samples of whole windows) -> (batch, windows, bands)."""
        config = self.config
        spectrum = torch.stft(
            padded,
            config.fft_samples,
            config.hop_samples,
            config.window_samples,
            self.window,
            center=False,
            return_complex=True,
        )  # (batch, bin, frame)
        magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)
        mel = magnitude.transpose(1, 2) @ self.filters
        return mel.clamp(min=config.floor).log()
