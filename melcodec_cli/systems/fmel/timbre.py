"""Timbre: a few rounded values, sent once per chunk, that describe its voice and recording."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, FrameConv, thinned
from melcodec_cli.systems.fmel.config import TimbreConfig


class TimbreEncoder(nn.Module):
    """Takes statistics over time, which only this part may do: the values belong to their own chunk."""

    def __init__(self, bands: int, config: TimbreConfig) -> None:
        super().__init__()
        self.levels = 2**config.bits
        width = config.width
        self.halve = FrameConv(bands, width, 4, stride=2)
        self.quarter = FrameConv(width, width, 4, stride=2)
        self.stack = BlockStack(width, (1,) * config.blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(2 * width, config.values)

    def forward(self, mel: Tensor, valid: Tensor, inside: Tensor | None = None) -> Tensor:
        """mel (batch, frame, band), valid (batch, frame / 4) of 0 and 1 -> (batch, values) within +-1."""
        x = self.quarter(nn.functional.gelu(self.halve(mel, inside)), thinned(inside, 2))
        x = self.stack(x, inside=thinned(inside, 4))
        x = self.norm(x).float()
        weight = valid.float().unsqueeze(-1)
        count = weight.sum(1).clamp(min=1)
        mean = (x * weight).sum(1) / count
        deviation = (((x - mean.unsqueeze(1)).square() * weight).sum(1) / count + 1e-4).sqrt()
        with torch.autocast(mel.device.type, enabled=False):
            return torch.tanh(self.head(torch.cat([mean, deviation], -1)))

    def quantise(self, values: Tensor) -> Tensor:
        """(batch, values) within +-1 -> indices 0..levels-1."""
        return ((values + 1) / 2 * self.levels).floor().clamp(0, self.levels - 1).long()

    def lookup(self, indices: Tensor) -> Tensor:
        """Indices -> the middle of each level, within +-1."""
        return (indices.float() + 0.5) * (2 / self.levels) - 1

    def round(self, values: Tensor) -> Tensor:
        """Round as if coded, but with the gradient of the identity, for training."""
        return values + (self.lookup(self.quantise(values)) - values).detach()
