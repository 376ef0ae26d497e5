"""Refiner: a short flow from the coarse mel to one with the texture of speech."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, FrameConv
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.systems.fmel.config import RefinerConfig

TIME_WIDTH = 64


class FlowRefiner(nn.Module):
    """A flow from noise around the coarse mel to the mel of speech: at time t it is at (1 - t) x_0 + t x_1."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        self.time = nn.Sequential(nn.Linear(TIME_WIDTH, TIME_WIDTH), nn.SiLU())
        self.widen = FrameConv(2 * bands, config.width, 3)
        self.stack = BlockStack(config.width, config.dilations, condition=TIME_WIDTH)
        self.norm = nn.LayerNorm(config.width)
        self.head = Linear(config.width, bands)
        self.context_frames_per_step = 1 + self.stack.context

    def standardise(self, mel: Tensor) -> Tensor:
        return (mel - self.mean) / self.deviation

    def start(self, coarse: Tensor, noise: Tensor) -> Tensor:
        """x_0, the start of the flow, for a standardised coarse mel."""
        return self.config.anchor * coarse + self.config.noise * noise

    def answer(self, point: Tensor, coarse: Tensor, time: Tensor, inside: Tensor | None = None) -> Tensor:
        """The network's answer at `time` (batch,): the velocity, or end - coarse mel; all standardised."""
        x = self.widen(torch.cat([point, coarse], dim=-1), inside)
        x = self.stack(x, self.time(_embedding(time)).unsqueeze(1), inside)
        return self.head(self.norm(x))

    def wanted(self, start: Tensor, target: Tensor, coarse: Tensor) -> Tensor:
        """The answer that leads from `start` to `target`, at any time."""
        return target - (start if self.config.predicts == "velocity" else coarse)

    def end(self, point: Tensor, coarse: Tensor, time: Tensor, inside: Tensor | None = None) -> Tensor:
        """Where the flow through `point` at `time` (batch,) would end in one jump; all mels standardised."""
        answer = self.answer(point, coarse, time, inside)
        if self.config.predicts == "velocity":
            return point + (1 - time.view(-1, 1, 1)) * answer
        return coarse + answer

    def forward(self, coarse_mel: Tensor, noise: Tensor, steps: int, inside: Tensor | None = None) -> Tensor:
        """Log-mel and noise (batch, frame, band) -> refined log-mel, in `steps` Euler steps."""
        coarse = self.standardise(coarse_mel)
        point = self.start(coarse, noise)
        for step in range(steps):
            time = torch.full((len(coarse),), step / steps, device=coarse.device)
            end = self.end(point, coarse, time, inside).float()
            point = point + (end - point) / (steps - step)  # dt / (1 - t)
        return point * self.deviation + self.mean


def _embedding(time: Tensor) -> Tensor:
    """Sines and cosines of a time within 0..1: (batch,) -> (batch, TIME_WIDTH)."""
    half = TIME_WIDTH // 2
    speeds = torch.exp(torch.arange(half, device=time.device) * (math.log(1000.0) / half))
    angles = time.unsqueeze(1) * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=1)
