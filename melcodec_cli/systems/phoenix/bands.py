"""Recurrent blocks on frames that are divided into bands: (frame, row, band, channel).

Frames come first, as GRUs want them, so that no tensor is ever copied into another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.causal import RecurrentNet
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.snake import Snake


class BandsBlock(nn.Module):
    """Norm of each frame, tanh, a GRU over time for each band with weights shared by all, linear, Snake, residual."""

    def __init__(self, bands: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm((bands, channels))  # its gains let the bands differ
        self.over_time = RecurrentNet(nn.GRU, channels)
        self.linear = nn.Linear(channels, channels)
        self.snake = Snake(channels)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        y = torch.tanh(self.norm(x))
        y = self.over_time(y.flatten(1, 2), memory).view_as(x)
        return x + self.snake(self.linear(y))


class Merger(nn.Module):
    """Convolution over bands whose kernel is its stride: `stride` bands become one."""

    def __init__(self, stride: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.stride = stride
        self.linear = nn.Linear(stride * channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        frames, rows, bands, _ = x.shape
        return self.linear(x.reshape(frames, rows, bands // self.stride, -1))


class Splitter(nn.Module):
    """The reverse of a merger: each band becomes `stride`."""

    def __init__(self, stride: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.stride = stride
        self.linear = nn.Linear(channels_in, stride * channels_out)

    def forward(self, x: Tensor) -> Tensor:
        frames, rows, bands, _ = x.shape
        return self.linear(x).reshape(frames, rows, bands * self.stride, -1)
