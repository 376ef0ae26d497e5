"""Snake, the nonlinearity of several published vocoders."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from melcodec_cli.layers.pointwise import Linear


class Snake(nn.Module):
    """x + sin(a x)^2 / a, with a slope of its own for each channel: a nonlinearity that oscillates, as voices do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(..., channel)"""
        return snake(x, self.slope)


def snake(x: Tensor, slope: Tensor) -> Tensor:
    if torch.is_grad_enabled() and (x.requires_grad or slope.requires_grad):
        return _Snake.apply(x, slope)
    return x + (x * slope).sin_().square_() / slope


class _Snake(torch.autograd.Function):
    """Keeps only its input for the gradient, where separate operations would keep four tensors of this size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return x + (x * slope).sin_().square_() / slope

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        (gradient,) = gradients
        angle = x * (2 * slope)
        double = angle.sin()  # of twice the angle: sin(2u) = 2 sin(u) cos(u)
        # d/da sin(a x)^2 / a = x sin(2 a x) / a - (1 - cos(2 a x)) / (2 a^2)
        by_slope = x.mul(double) * slope + (angle.cos_() - 1) / 2
        summed = (by_slope * gradient).flatten(0, -2).sum(0) / slope.square()
        return torch.addcmul(gradient, gradient, double), summed


class LinearSnake(nn.Module):
    """A linear layer followed by Snake, in the place of pointwise.LinearGelu."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.linear = Linear(channels_in, channels_out)
        self.snake = Snake(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.snake(self.linear(x))
