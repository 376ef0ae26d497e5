"""The published decoder: latents to audio in the time domain, looking ahead by a few milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from melcodec_cli.layers.causal import CausalConv, CausalUpsample, RecurrentNet
from melcodec_cli.layers.memory import Memory, delayed
from melcodec_cli.layers.snake import Snake
from melcodec_cli.systems.phoenix.config import CORE_HZ, Profile
from melcodec_cli.systems.phoenix.interpolation import Interpolation
from melcodec_cli.systems.span import Span

LAST_KERNEL = 7
QUIET = 0.1  # of random weights, so that training does not begin with noise louder than speech
SECOND_KERNEL = 3  # of a unit; its first convolution has that of the level


class ResidualUnit(nn.Module):
    """Two convolutions after a Snake each, added to the input.  Only the first may look ahead."""

    def __init__(self, channels: int, kernel: int, ahead: int) -> None:
        super().__init__()
        self.ahead = ahead
        self.layers = nn.ModuleList(
            [
                Snake(channels),
                CausalConv(channels, channels, kernel, ahead),
                Snake(channels),
                CausalConv(channels, channels, SECOND_KERNEL),
            ]
        )

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        first_snake, first, second_snake, second = self.layers
        y = second(second_snake(first(first_snake(x), memory)), memory)
        return delayed(self, x, y.shape[1], memory) + y


class Level(nn.Module):
    def __init__(self, before: int, channels: int, stride: int, units: Sequence[ResidualUnit]) -> None:
        super().__init__()
        self.snake = Snake(before)
        self.upsample = CausalUpsample(before, channels, stride)
        self.units = nn.ModuleList(units)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(batch, step, before) -> (batch, steps * stride, channels)."""
        x = self.upsample(self.snake(x), memory)
        for unit in self.units:
            x = unit(x, memory)
        return x


class TimeDecoder(nn.Module):
    def __init__(self, profile: Profile, width: int) -> None:
        super().__init__()
        config = profile.time
        self.first = nn.Linear(width, config.first_channels)
        self.over_time = RecurrentNet(nn.LSTM, config.first_channels)
        self.levels = nn.ModuleList()
        before, step = config.first_channels, math.prod(config.strides)  # samples of 16 kHz
        ahead = 0
        levels = zip(config.strides, config.channels, config.kernels, config.units, strict=True)
        for stride, channels, kernel, count in levels:
            step //= stride
            units = [ResidualUnit(channels, kernel, kernel // 2)]
            units += [ResidualUnit(channels, kernel, 0) for _ in range(count - 1)]
            ahead += step * sum(unit.ahead for unit in units)
            self.levels.append(Level(before, channels, stride, units))
            before = channels
        self.snake = Snake(before)
        self.last = CausalConv(before, 1, LAST_KERNEL, LAST_KERNEL // 2)
        self.last.conv.weight.data *= QUIET
        ahead += self.last.ahead
        self.interpolation = Interpolation(profile.rate_hz) if profile.rate_hz != CORE_HZ else None
        # How far the audio depends on the future, in samples of the output, and how late it comes.
        ahead = ahead * profile.rate_hz // CORE_HZ
        interpolated = self.interpolation
        self.ahead_samples = ahead + (interpolated.ahead_samples if interpolated else 0)
        self.delay_samples = ahead + (interpolated.delay_samples if interpolated else 0)

    def forward(
        self, latents: Tensor, memory: Memory | None = None, spans: Sequence[Span] | None = None
    ) -> Tensor:
        """(batch, frame, width) -> (batch, frames * hop_samples)."""
        x = self.first(latents)
        x = x + self.over_time(x.transpose(0, 1), memory).transpose(0, 1)
        for level in self.levels:
            x = level(x, memory)
        audio = torch.tanh(self.last(self.snake(x), memory)).squeeze(2)
        return audio if self.interpolation is None else self.interpolation(audio, memory)
