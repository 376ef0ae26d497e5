"""The network that turns latents into values for each bin: the encoder in reverse.  Two of the decoders use it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.snake import Snake
from melcodec_cli.systems.phoenix.bands import BandsBlock, Splitter
from melcodec_cli.systems.phoenix.config import BinsConfig

QUIET = 0.1  # of random weights, so that all bins begin with their usual values


class BinsNet(nn.Module):
    """Latents to a few values of each bin, which begin as the `usual` ones."""

    def __init__(self, config: BinsConfig, width: int, usual: tuple[float, ...]) -> None:
        super().__init__()
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
        self.head = Splitter(config.strides[-1], before, len(usual))
        self.head.linear.weight.data *= QUIET
        values = (math.prod(config.strides), len(usual))
        self.direct = (
            nn.Linear(config.first_channels, math.prod(values), bias=False) if config.direct else None
        )
        if self.direct is not None:
            self.direct.weight.data *= QUIET
        self.usual = nn.Parameter(torch.empty(values))
        self.usual.data.copy_(torch.tensor(usual))

    def forward(self, latents: Tensor, memory: Memory | None = None) -> Tensor:
        """(batch, frame, width) -> (frame, batch, bin, value)."""
        return self.finish(self.begin(latents, memory), memory)

    def begin(self, latents: Tensor, memory: Memory | None = None) -> Tensor:
        """(batch, frame, width) -> (frame, batch, 1, channel): all bands are still one."""
        return self.blocks[0](self.first(latents.transpose(0, 1)).unsqueeze(2), memory)

    def finish(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        first = x.squeeze(2)
        for splitter, snake, block in zip(self.splitters, self.snakes, self.blocks[1:], strict=True):
            x = block(snake(splitter(x)), memory)
        values = self.head(self.norm(x)).float() + self.usual
        if self.direct is not None:
            values = values + self.direct(first).view_as(values)
        return values
