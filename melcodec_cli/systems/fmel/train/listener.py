"""The listener recognises letters in a log-mel.  It judges a coder and is not part of a bundle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from melcodec_cli.layers.blocks import BlockStack, FrameConv, thinned
from melcodec_cli.systems.fmel.train.letters import ALPHABET

# A network trained by CTC outputs mostly blanks, and each letter for one frame only.  Such sharp posteriors have a
# gradient only where they are already wrong; softened ones, and the features behind them, have one everywhere.
SOFTNESS = 2.0
FEATURES = 1.0  # weight of the distance of features relative to that of letters


@dataclass(frozen=True)
class ListenerConfig:
    stride: int = 3  # mel frames per frame of the listener
    width: int = 256
    blocks: int = 8


class Listener(nn.Module):
    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int, config: ListenerConfig) -> None:
        super().__init__()
        self.stride = config.stride
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        # Centred; one step for each whole stride.
        kernel = 2 * config.stride + config.stride % 2
        self.thin = FrameConv(bands, config.width, kernel, config.stride)
        self.stack = BlockStack(config.width, (1,) * config.blocks)
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, len(ALPHABET) + 1)

    def features(self, mel: Tensor, inside: Tensor | None = None) -> Tensor:
        """mel (batch, frame, band), inside (batch, frame, 1) -> (batch, step, width), one step
        for every `stride` frames."""
        x = self.thin((mel - self.mean) / self.deviation, inside)
        if inside is not None:
            inside = self.steps(inside)
        return self.stack(x, inside=inside)

    def steps(self, inside: Tensor) -> Tensor:
        """Mask of the steps that lie inside a row: (batch, step, 1)."""
        whole = inside[:, : inside.shape[1] // self.stride * self.stride]
        thin = thinned(whole, self.stride)
        assert thin is not None
        return thin

    def scores(self, mel: Tensor, inside: Tensor | None = None) -> Tensor:
        """Logits of the blank and the letters (batch, step, letter)."""
        return self.head(self.norm(self.features(mel, inside))).float()

    def heard(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features (batch, step, width) and softened log-probabilities of letters (batch, step, letter)."""
        features = self.features(mel)
        scores = self.head(self.norm(features)).float() / SOFTNESS
        return layer_norm(features.float(), features.shape[-1:]), scores.log_softmax(-1)

    def difference(self, mel: Tensor, heard: tuple[Tensor, Tensor]) -> Tensor:
        """Distance from what was heard in another mel: (batch, step), 0 if it is the same."""
        features, letters = self.heard(mel)
        distance = (features - heard[0]).square().mean(-1) / 2  # 1 - correlation
        surprise = (heard[1].exp() * (heard[1] - letters)).sum(-1)  # Kullback-Leibler divergence in nats
        return surprise + FEATURES * distance
