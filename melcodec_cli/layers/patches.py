"""Blocks of networks that see a log-mel as a picture, cut into square patches.

Tensors are (batch, column, row, channel): a column holds the patches of one stretch of time, lowest bands first.
Blocks look ahead by as many columns as they are told, most by none. A row of a batch may be padded at its end: without
a look ahead nothing hears of it; otherwise `inside` (batch, column, 1), true within the row, hides it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import masked
from melcodec_cli.layers.memory import Memory, surrounded
from melcodec_cli.layers.pointwise import Linear, LinearGelu

HEADS = 4  # of the attention among rows


def to_patches(mel: Tensor, side: int) -> Tensor:
    """(batch, frame, band) -> (batch, frame / side, band / side, side * side)."""
    return mel.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(3)


def from_patches(patches: Tensor, side: int) -> Tensor:
    """The reverse of `to_patches`."""
    return patches.unflatten(3, (side, side)).transpose(2, 3).flatten(3, 4).flatten(1, 2)


class PatchBlock(nn.Module):
    """A ConvNeXt block in two dimensions: it sees `kernel` columns, `ahead` of them after its own, and as many rows.

    memory: only without a look ahead.
    """

    def __init__(self, width: int, kernel: int = 5, expansion: int = 2, ahead: int = 0) -> None:
        super().__init__()
        self.context, self.ahead = kernel - 1 - ahead, ahead
        self.depthwise = nn.Conv2d(width, width, kernel, padding=(0, kernel // 2), groups=width)
        weight = self.depthwise.weight
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.norm = nn.LayerNorm(width)
        self.widen = LinearGelu(width, expansion * width)
        self.narrow = Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        seen = masked(x, None if inside is None else inside.unsqueeze(-1))
        whole = surrounded(self, seen, self.context, self.ahead, memory)
        y = self.depthwise(whole.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.scale * self.narrow(self.widen(self.norm(y)))


class RowAttention(nn.Module):
    """Attention among the rows of a column: what is far above or below a patch, such as overtones, may matter to it."""

    context = ahead = 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ask = Linear(width, 3 * width)
        self.answer = Linear(width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        asked = self.ask(self.norm(x)).flatten(0, 1).unflatten(-1, (3, HEADS, -1))
        query, key, value = asked.permute(2, 0, 3, 1, 4)  # (batch * column, head, row, channel)
        # torch's own function takes 15 times as long to train with as few rows.
        share = (query @ key.transpose(2, 3) / math.sqrt(query.shape[3])).softmax(-1)
        found = (share @ value).transpose(1, 2).flatten(2)
        return x + self.scale * self.answer(found.view(x.shape))


class PatchStack(nn.Module):
    """A sequence of blocks, told which row is which by a learned vector for each.

    attention: after how many blocks the rows attend to each other; 0 for never.  ahead: that of each block.
    """

    def __init__(self, width: int, blocks: int, rows: int, attention: int = 0, ahead: int = 0) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.empty(rows, width))
        nn.init.uniform_(self.row, -0.03, 0.03)
        stack: list[PatchBlock | RowAttention] = []
        for number in range(1, blocks + 1):
            stack.append(PatchBlock(width, ahead=ahead))
            if attention and number % attention == 0:
                stack.append(RowAttention(width))
        self.blocks = nn.ModuleList(stack)
        self.context = sum(block.context for block in stack)
        self.ahead = sum(block.ahead for block in stack)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        x = x + self.row
        for block in self.blocks:
            x = block(x, memory, inside)
        return self.norm(x)
