"""Building blocks of every stage.  All tensors are (batch, frame, channel); all fields are finite.

Outside of its row every layer sees zeros, as it did in training.  Rows of unequal length in a batch are extended on the
right, and `inside` (batch, frame, 1), true within the row, keeps what lies beyond from every convolution; it is None
where no row is extended, as for one row alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.pointwise import Linear, LinearGelu


def masked(x: Tensor, inside: Tensor | None) -> Tensor:
    """Zeros where a row has ended."""
    return x if inside is None else x * inside


def thinned(inside: Tensor | None, factor: int) -> Tensor | None:
    """Of every `factor` frames one."""
    return None if inside is None else inside[:, ::factor]


def stretched(x: Tensor | None, factor: int) -> Tensor | None:
    """Every frame `factor` times; what is one for all frames stays one."""
    return x if x is None or x.shape[1] == 1 else x.repeat_interleave(factor, dim=1)


class FrameConv(nn.Module):
    """Convolution over frames.  Run as a 2-D convolution on a channels-last view, which CPUs do without copies."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        # An odd kernel keeps the frame count; an even one with a stride divides it, centred.
        padding = dilation * (kernel - 1) // 2 if stride == 1 else (kernel - stride) // 2
        self.conv = nn.Conv2d(
            channels_in, channels_out, (1, kernel), (1, stride), (0, padding), (1, dilation), groups
        )
        weight = self.conv.weight
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, inside: Tensor | None = None) -> Tensor:
        return self.conv(masked(x, inside).transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, then a two-layer perceptron, as a residual; an optional condition scales and shifts.

    No GRN: its statistics over time would make an index depend on audio a minute away.
    """

    def __init__(
        self, width: int, expansion: int = 2, kernel: int = 7, dilation: int = 1, condition: int = 0
    ) -> None:
        super().__init__()
        self.context = dilation * (kernel - 1) // 2
        self.depthwise = FrameConv(width, width, kernel, dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width, elementwise_affine=condition == 0)
        self.film = nn.Linear(condition, 2 * width) if condition else None
        self.widen = LinearGelu(width, expansion * width)
        self.narrow = Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor, condition: Tensor | None = None, inside: Tensor | None = None) -> Tensor:
        """x (batch, frame, width), condition (batch, frame or 1, condition) -> (batch, frame, width)."""
        y = self.norm(self.depthwise(x, inside))
        if self.film is not None:
            gain, shift = self.film(condition).chunk(2, dim=-1)
            y = y * (1 + gain) + shift
        return x + self.scale * self.narrow(self.widen(y))


class BlockStack(nn.Module):
    """ConvNeXt blocks one after the other."""

    def __init__(
        self, width: int, dilations: tuple[int, ...], condition: int = 0, expansion: int = 2
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, expansion, dilation=dilation, condition=condition) for dilation in dilations
        )
        self.context = sum(3 * dilation for dilation in dilations)

    def forward(self, x: Tensor, condition: Tensor | None = None, inside: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, condition, inside)
        return x


class Upsample(nn.Module):
    """Each frame becomes `factor` frames, by a linear map: no overlap, so no checkerboard and no context."""

    def __init__(self, channels_in: int, channels_out: int, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.linear = Linear(channels_in, factor * channels_out)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, _ = x.shape
        return self.linear(x).reshape(batch, frames * self.factor, -1)
