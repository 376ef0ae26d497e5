"""The second decoder: latents to a spectrum for each frame, and these to audio by inverse Fourier transforms.

It does all its work at the frame rate, and makes any output rate directly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory
from melcodec_cli.systems.phoenix.bins import BinsNet
from melcodec_cli.systems.phoenix.config import Profile
from melcodec_cli.systems.phoenix.stretches import StretchAdder, added_window
from melcodec_cli.systems.span import Span

MOST = 3.0  # limit of the logarithm of a magnitude
USUAL = -8.5  # logarithm of a magnitude that the network starts from: quiet speech


class IstftDecoder(nn.Module):
    def __init__(self, profile: Profile, width: int) -> None:
        super().__init__()
        hop_samples = profile.hop_samples
        self.net = BinsNet(profile.istft, width, (USUAL, 0.0, 0.0))
        window = added_window(profile.istft.window_ms * profile.rate_hz // 1000, hop_samples)
        self.adder = StretchAdder(profile.window_samples, hop_samples, window)
        self.ahead_samples = self.delay_samples = self.adder.overlap_samples

    def forward(
        self, latents: Tensor, memory: Memory | None = None, spans: Sequence[Span] | None = None
    ) -> Tensor:
        """(batch, frame, width) -> (batch, frames * hop_samples)."""
        size, real, imaginary = self.net(latents, memory).unbind(-1)  # (frame, batch, bin)
        # The length of (real, imaginary) means nothing: it gives a direction, which is the phase.
        magnitude = size.clamp(max=MOST).exp() * (real.square() + imaginary.square() + 1e-8).rsqrt()
        return self.adder(torch.complex(magnitude * real, magnitude * imaginary), memory)
