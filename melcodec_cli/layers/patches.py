"""Blocks of networks that see a log-mel as a picture, cut into square patches.

Tensors are (batch, column, row, channel): a column holds the patches of one stretch of time, lowest bands first.
Everything is causal in time, so a row of a batch may be padded at its end without a mask.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory, surrounded
from melcodec_cli.layers.pointwise import Linear, LinearGelu


def to_patches(mel: Tensor, side: int) -> Tensor:
    """(batch, frame, band) -> (batch, frame / side, band / side, side * side)."""
    return mel.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(3)


def from_patches(patches: Tensor, side: int) -> Tensor:
    """The reverse of `to_patches`."""
    return patches.unflatten(3, (side, side)).transpose(2, 3).flatten(3, 4).flatten(1, 2)


class PatchBlock(nn.Module):
    """A ConvNeXt block in two dimensions: it sees `kernel` columns up to its own, and as many rows around its own."""

    def __init__(self, width: int, kernel: int = 5, expansion: int = 2) -> None:
        super().__init__()
        self.context = kernel - 1
        self.depthwise = nn.Conv2d(width, width, kernel, padding=(0, kernel // 2), groups=width)
        weight = self.depthwise.weight
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.norm = nn.LayerNorm(width)
        self.widen = LinearGelu(width, expansion * width)
        self.narrow = Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        whole = surrounded(self, x, self.context, 0, memory)
        y = self.depthwise(whole.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.scale * self.narrow(self.widen(self.norm(y)))


class PatchStack(nn.Module):
    """A sequence of blocks, told which row is which by a learned vector for each."""

    def __init__(self, width: int, blocks: int, rows: int) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.empty(rows, width))
        nn.init.uniform_(self.row, -0.03, 0.03)
        stack = [PatchBlock(width) for _ in range(blocks)]
        self.blocks = nn.ModuleList(stack)
        self.context = sum(block.context for block in stack)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        x = x + self.row
        for block in self.blocks:
            x = block(x, memory)
        return self.norm(x)
