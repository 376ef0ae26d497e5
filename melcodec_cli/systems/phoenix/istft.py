"""The other decoder: latents to a spectrum for each frame, and these to audio by inverse Fourier transforms.

It does all its work at the frame rate, and makes any output rate directly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.snake import Snake
from melcodec_cli.systems.phoenix.bands import BandsBlock, Splitter
from melcodec_cli.systems.phoenix.config import Profile

MOST = 3.0  # limit of the logarithm of a magnitude
QUIET = 0.1  # of random weights, so that all bins begin at their usual magnitude
USUAL = -8.5  # logarithm of a magnitude that the network starts from: quiet speech


class IstftDecoder(nn.Module):
    window: Tensor

    def __init__(self, profile: Profile, width: int) -> None:
        super().__init__()
        config = profile.istft
        self.hop_samples, self.fft_samples = profile.hop_samples, profile.window_samples
        self.first = nn.Linear(width, config.first_channels)
        self.blocks = nn.ModuleList([BandsBlock(1, config.first_channels)])
        self.splitters, self.snakes = nn.ModuleList(), nn.ModuleList()
        before, bands = config.first_channels, 1
        for stride, channels in zip(config.strides[:-1], config.channels, strict=True):
            bands *= stride
            self.splitters.append(Splitter(stride, before, channels))
            self.snakes.append(Snake(channels))
            self.blocks.append(BandsBlock(bands, channels))
            before = channels
        self.norm = nn.LayerNorm((bands, before))
        self.head = Splitter(config.strides[-1], before, 3)
        self.head.linear.weight.data *= QUIET
        self.level = nn.Parameter(torch.full((math.prod(config.strides),), USUAL))
        window = synthesis_window(config.window_ms * profile.rate_hz // 1000, profile.hop_samples)
        self.register_buffer("window", window, persistent=False)
        # A frame's stretch ends with the frame, so audio is complete when the last stretch over it has come.
        self.ahead_samples = self.delay_samples = len(window) - profile.hop_samples

    def forward(self, latents: Tensor, memory: Memory | None = None) -> Tensor:
        """(batch, frame, width) -> (batch, frames * hop_samples); the end lacks what later frames would add."""
        x = self.first(latents.transpose(0, 1)).unsqueeze(2)
        x = self.blocks[0](x, memory)
        for splitter, snake, block in zip(self.splitters, self.snakes, self.blocks[1:], strict=True):
            x = block(snake(splitter(x)), memory)
        size, real, imaginary = self.head(self.norm(x)).float().unbind(-1)  # (frame, batch, bin)
        # The length of (real, imaginary) means nothing: it gives a direction, which is the phase.
        magnitude = (size + self.level).clamp(max=MOST).exp()
        magnitude = magnitude * (real.square() + imaginary.square() + 1e-8).rsqrt()
        spectrum = torch.complex(magnitude * real, magnitude * imaginary)
        spectrum = nn.functional.pad(spectrum, (0, 1 + self.fft_samples // 2 - spectrum.shape[2]))
        # Relative to the length, so that a magnitude means the same at every rate.
        stretches = torch.fft.irfft(spectrum, self.fft_samples) * self.fft_samples
        return self._added_up(stretches[..., -len(self.window) :] * self.window, memory)

    def _added_up(self, stretches: Tensor, memory: Memory | None) -> Tensor:
        """(frame, batch, sample) -> audio, without what lies before the first frame."""
        frames, batch, length = stretches.shape
        hop, overlap = self.hop_samples, length - self.hop_samples
        total = (
            nn.functional.fold(
                stretches.permute(1, 2, 0), (1, overlap + frames * hop), (1, length), stride=(1, hop)
            ).flatten(1)
            if frames
            else stretches.new_zeros(batch, overlap)
        )
        if memory is None:
            return total[:, overlap:]
        surplus, tail = memory.held.get(self, (overlap, None))
        if tail is not None:
            total = torch.cat([total[:, :overlap] + tail, total[:, overlap:]], 1)
        ready = total[:, : frames * hop]
        memory.held[self] = max(0, surplus - frames * hop), total[:, frames * hop :]
        return ready[:, surplus:]


def synthesis_window(samples: int, hop_samples: int) -> Tensor:
    """A Hann window, corrected so that windows at each hop add up to 1."""
    window = torch.hann_window(samples, device="cpu", dtype=torch.float64)
    padded = nn.functional.pad(window, (0, -samples % hop_samples))
    total = padded.view(-1, hop_samples).sum(0)
    return (window / total.repeat(len(padded) // hop_samples)[:samples]).float()
