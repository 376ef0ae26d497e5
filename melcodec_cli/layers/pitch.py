"""Pitch: fundamental frequency and voicing of each frame, estimated from the log-mel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from melcodec_cli.layers.blocks import BlockStack, FrameConv
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.pitch_config import PitchConfig, PitchScaleConfig
from melcodec_cli.layers.pointwise import Linear

NEIGHBOURS = 3  # bins on either side of the best one that the estimate averages over
HEIGHT = 0.2  # weight of an error in pitch relative to one in voicing
GRID = 32  # the estimate is rounded to this fraction of a bin (0.9 cents)


def octaves_per_bin(scale: PitchScaleConfig) -> float:
    return math.log2(scale.high_hz / scale.low_hz) / (scale.bins - 1)


def bin_of(hz: Tensor, scale: PitchScaleConfig) -> Tensor:
    """Fractional position of a frequency on the scale of bins."""
    return (hz.clamp(min=1.0) / scale.low_hz).log2() / octaves_per_bin(scale)


def likeliest_hz(logits: Tensor, scale: PitchScaleConfig) -> Tensor:
    """Logits of the bins (batch, frame, bin) -> frequency in Hz (batch, frame)."""
    best = logits.argmax(-1, keepdim=True).clamp(NEIGHBOURS, scale.bins - 1 - NEIGHBOURS)
    around = best + torch.arange(-NEIGHBOURS, NEIGHBOURS + 1, device=logits.device)
    weight = logits.gather(-1, around).softmax(-1)
    # Rounded because the phase is a running sum over a whole chunk: rounding errors that differ between machines would
    # grow until they are audible in a difference signal.
    position = ((weight * around).sum(-1) * GRID).round() / GRID
    return scale.low_hz * torch.exp2(position * octaves_per_bin(scale))


class Pitch(nn.Module):
    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int, config: PitchConfig, causal: bool = False) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        self.widen = FrameConv(bands, config.width, 5, causal=causal)
        self.stack = BlockStack(config.width, (1,) * config.blocks, causal=causal)
        self.norm = nn.LayerNorm(config.width)
        self.head = Linear(config.width, config.bins + 1)
        self.context_frames = (4 if causal else 2) + self.stack.context

    def scores(
        self, mel: Tensor, inside: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, Tensor]:
        """mel (batch, frame, band) -> logits of the bins (batch, frame, bin) and of voicing (batch, frame)."""
        standard = ((mel - self.mean) / self.deviation).to(self.head.weight.dtype)
        x = self.stack(self.widen(standard, inside, memory), inside=inside, memory=memory)
        y = self.head(self.norm(x)).float()
        return y[..., :-1], y[..., -1]

    def heard(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of the bins (batch, frame, bin) and of voicing (batch, frame)."""
        logits, voicing = self.scores(mel)
        return logits.softmax(-1), voicing.sigmoid()

    def difference(self, mel: Tensor, heard: tuple[Tensor, Tensor]) -> Tensor:
        """Distance in nats of voicing, and of pitch where voiced, from what was heard in another mel: (batch, frame).
        `heard` may come from one mel for all rows."""
        bins, voiced = heard
        logits, voicing = self.scores(mel)
        decision = binary_cross_entropy_with_logits(voicing, voiced.expand_as(voicing), reduction="none")
        return decision + HEIGHT * voiced * (logits.logsumexp(-1) - torch.linalg.vecdot(bins, logits))

    def forward(
        self, mel: Tensor, inside: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, Tensor]:
        """Frequency in Hz (batch, frame) and probability of voicing (batch, frame)."""
        logits, voicing = self.scores(mel, inside, memory)
        return likeliest_hz(logits, self.config), torch.sigmoid(voicing)
