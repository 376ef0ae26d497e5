"""Building blocks of every stage.  All tensors are (batch, frame, channel); all fields are finite.

Every layer sees zeros outside its row, as it did in training.  Rows of unequal length are padded on the right to form
a batch; `inside` (batch, frame, 1) is true within the row and hides the padding from every convolution.  It is None if
no row is padded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory, surrounded
from melcodec_cli.layers.pointwise import Linear, LinearGelu
from melcodec_cli.layers.snake import LinearSnake


def masked(x: Tensor, inside: Tensor | None) -> Tensor:
    """Set everything after the end of a row to zero."""
    return x if inside is None else x * inside


def thinned(inside: Tensor | None, factor: int) -> Tensor | None:
    """Keep one of every `factor` frames."""
    return None if inside is None else inside[:, ::factor]


def stretched(x: Tensor | None, factor: int) -> Tensor | None:
    """Repeat every frame `factor` times; a single frame, which holds for all, stays single."""
    return x if x is None or x.shape[1] == 1 else x.repeat_interleave(factor, dim=1)


class FrameConv(nn.Module):
    """Convolution over frames, run in 2-D on a channels-last view, which spares CPUs a copy."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        causal: bool = False,
    ) -> None:
        super().__init__()
        # A causal one sees nothing later.  Of the others an odd kernel keeps the frame count, and an even one with a
        # stride divides it, centred.
        self.earlier = dilation * (kernel - 1) if causal else 0
        padding = dilation * (kernel - 1) // 2 if stride == 1 else (kernel - stride) // 2
        padding = 0 if causal else padding
        self.conv = nn.Conv2d(
            channels_in, channels_out, (1, kernel), (1, stride), (0, padding), (1, dilation), groups
        )
        weight = self.conv.weight
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, inside: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        x = masked(x, inside)
        if self.earlier:
            x = surrounded(self, x, self.earlier, 0, memory)
        return self.conv(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, then a two-layer perceptron, added to the input; a condition may scale and shift.

    There is no GRN: its statistics over time would make an index depend on audio a minute away.  snake: whether the
    perceptron has Snake rather than GELU.  flat: the variance below which an input is no longer normalised.
    """

    def __init__(
        self,
        width: int,
        expansion: int = 2,
        kernel: int = 7,
        dilation: int = 1,
        condition: int = 0,
        causal: bool = False,
        snake: bool = False,
        flat: float = 1e-5,
    ) -> None:
        super().__init__()
        self.depthwise = FrameConv(width, width, kernel, dilation=dilation, groups=width, causal=causal)
        self.norm = nn.LayerNorm(width, flat, elementwise_affine=condition == 0)
        self.film = nn.Linear(condition, 2 * width) if condition else None
        self.widen = (LinearSnake if snake else LinearGelu)(width, expansion * width)
        self.narrow = Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(
        self,
        x: Tensor,
        condition: Tensor | None = None,
        inside: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """x (batch, frame, width), condition (batch, frame or 1, condition) -> (batch, frame, width)."""
        y = self.norm(self.depthwise(x, inside, memory))
        if self.film is not None:
            gain, shift = self.film(condition).chunk(2, dim=-1)
            y = y * (1 + gain) + shift
        return x + self.scale * self.narrow(self.widen(y))


class BlockStack(nn.Module):
    """A sequence of ConvNeXt blocks."""

    def __init__(
        self,
        width: int,
        dilations: tuple[int, ...],
        condition: int = 0,
        expansion: int = 2,
        causal: bool = False,
        snake: bool = False,
        flat: float = 1e-5,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, expansion, 7, dilation, condition, causal, snake, flat)
            for dilation in dilations
        )
        # Frames before, and unless it is causal as many after.
        self.context = sum((6 if causal else 3) * dilation for dilation in dilations)

    def forward(
        self,
        x: Tensor,
        condition: Tensor | None = None,
        inside: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        for block in self.blocks:
            x = block(x, condition, inside, memory)
        return x


class Upsample(nn.Module):
    """Turn each frame into `factor` frames by a linear map: without overlap, so without checkerboard or context."""

    def __init__(self, channels_in: int, channels_out: int, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.linear = Linear(channels_in, factor * channels_out)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, _ = x.shape
        return self.linear(x).reshape(batch, frames * self.factor, -1)
