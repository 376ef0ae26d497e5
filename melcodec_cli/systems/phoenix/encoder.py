"""The encoder: audio to one latent a frame, without looking ahead."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory, surrounded
from melcodec_cli.layers.snake import Snake
from melcodec_cli.systems.phoenix.bands import BandsBlock, Merger
from melcodec_cli.systems.phoenix.config import Profile

LEVEL = 10.0  # makes the compressed spectrum of speech about as large as 1
USUAL_LOG, LOG_RANGE = -9.0, 3.0  # of magnitudes of speech: their logarithms become about as large as 1, too
SHARED_BINS = 2  # that a band sees of its neighbours on either side
FAINTEST = 1e-12  # squared magnitude, below the rounding of 16-bit samples


class CompressedSpectrum(nn.Module):
    """The complex spectrum from 0 to 8 kHz, with the square root of its magnitudes, and perhaps their logarithms.

    The window of a frame ends with the frame.  A tone has the same values at every rate: the bins lie at the same
    frequencies, and magnitudes are relative to the sum of the window.
    """

    window: Tensor

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.bins, self.hop_samples = profile.bins, profile.hop_samples
        self.values = 3 if profile.encoder.logarithms else 2  # of each bin
        window = torch.hann_window(profile.window_samples, device="cpu")
        self.register_buffer("window", window / window.sum(), persistent=False)

    def forward(self, audio: Tensor, memory: Memory | None = None) -> Tensor:
        """(batch, frames * hop_samples) -> (frame, batch, bin, value)."""
        before = len(self.window) - self.hop_samples
        audio = surrounded(self, audio.float(), before, 0, memory, self.hop_samples)
        if audio.shape[1] < len(self.window):
            return audio.new_zeros(0, len(audio), self.bins, self.values)
        framed = audio.unfold(1, len(self.window), self.hop_samples).transpose(0, 1)
        spectrum = torch.fft.rfft(framed * self.window)[..., : self.bins]
        parts = torch.view_as_real(spectrum)
        power = parts.square().sum(-1, keepdim=True) + FAINTEST
        compressed = LEVEL * parts * power.pow(-0.25)
        if self.values == 2:
            return compressed
        return torch.cat([compressed, (0.5 * power.log() - USUAL_LOG) / LOG_RANGE], -1)

    @staticmethod
    def power(compressed: Tensor) -> Tensor:
        """(..., bin, value), as above -> (..., bin): of spectra relative to the length of their windows."""
        return (compressed[..., :2].square().sum(-1) / LEVEL**2).square() / 4


class FirstMerger(nn.Module):
    """The published input convolution over bins and the first merger, which are both linear, as one."""

    def __init__(self, stride: int, channels: int, values: int) -> None:
        """values: of each bin."""
        super().__init__()
        self.stride = stride
        self.linear = nn.Linear(values * (stride + 2 * SHARED_BINS), channels)

    def forward(self, x: Tensor) -> Tensor:
        """(frame, batch, bin, value) -> (frame, batch, band, channel)."""
        x = nn.functional.pad(x, (0, 0, SHARED_BINS, SHARED_BINS))
        return self.linear(x.unfold(2, self.stride + 2 * SHARED_BINS, self.stride).flatten(3))


class Encoder(nn.Module):
    def __init__(self, profile: Profile) -> None:
        super().__init__()
        config = profile.encoder
        self.spectrum = CompressedSpectrum(profile)
        self.mergers, self.snakes, self.blocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        bands, before = profile.bins, 0
        for stride, channels in zip(config.strides, config.channels, strict=True):
            bands //= stride
            merger = (
                Merger(stride, before, channels)
                if before
                else FirstMerger(stride, channels, self.spectrum.values)
            )
            self.mergers.append(merger)
            self.snakes.append(Snake(channels))
            self.blocks.append(BandsBlock(bands, channels))
            before = channels
        self.direct = nn.Linear(profile.bins, before, bias=False) if config.logarithms else None

    def forward(self, audio: Tensor, memory: Memory | None = None) -> Tensor:
        """(batch, frames * hop_samples) -> (batch, frame, width)."""
        x = spectrum = self.spectrum(audio, memory)
        for merger, snake, block in zip(self.mergers, self.snakes, self.blocks, strict=True):
            x = block(snake(merger(x)), memory)
        latents = x.squeeze(2)
        if self.direct is not None:
            latents = latents + self.direct(spectrum[..., -1])
        return latents.transpose(0, 1)
