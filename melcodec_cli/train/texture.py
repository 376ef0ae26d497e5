"""A perceptual loss without trained weights: what fixed random filters see of a mel, and how it varies together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu

FILTERS = (1, 24, 48)  # channels in, and of both layers


class Texture(nn.Module):
    """Compares Gram matrices: the mean products of every two filters' outputs, over patches of the crop."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        for layer, (before, after) in enumerate(zip(FILTERS, FILTERS[1:], strict=False)):
            filters = torch.randn(after, before, 3, 3, generator=generator)
            filters = filters / filters.flatten(1).norm(dim=1)[:, None, None, None]
            self.register_buffer(f"filters_{layer}", filters, persistent=False)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """Mean difference of the Gram matrices of standardised mels (batch, frame, band)."""
        total = made.new_zeros(())
        both = torch.cat([made, real]).unsqueeze(1)
        for layer in range(len(FILTERS) - 1):
            both = leaky_relu(conv2d(both, self.get_buffer(f"filters_{layer}"), stride=1 + layer), 0.2)
            flat = both.flatten(2)
            gram = flat @ flat.transpose(1, 2) / flat.shape[2]
            ours, theirs = gram.chunk(2)
            total = total + (ours - theirs).abs().mean() / theirs.abs().mean().clamp(min=1e-3)
        return total / (len(FILTERS) - 1)
