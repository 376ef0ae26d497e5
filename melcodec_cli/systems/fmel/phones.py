"""The listener hears phones in a log-mel.  It judges what the coder makes, in training and in the search."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from melcodec_cli.layers.blocks import BlockStack, FrameConv
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.systems.fmel.config import PhonesConfig

PHONES = 40  # with silence
FEATURES = 1.0  # weight of the distance of features relative to that of phones


class PhoneListener(nn.Module):
    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int, config: PhonesConfig) -> None:
        super().__init__()
        self.stride = config.stride
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        # Centred; one step for each whole stride.
        kernel = 2 * config.stride + config.stride % 2
        self.thin = FrameConv(bands, config.width, kernel, config.stride)
        self.stack = BlockStack(config.width, (1,) * config.blocks)
        self.norm = nn.LayerNorm(config.width)
        self.head = Linear(config.width, PHONES)

    def features(self, mel: Tensor) -> Tensor:
        """mel (batch, frame, band) -> (batch, step, width), one step for every `stride` frames."""
        standard = ((mel - self.mean) / self.deviation).to(self.head.weight.dtype)
        return self.stack(self.thin(standard))

    def scores(self, mel: Tensor) -> Tensor:
        """Logits of the phones: (batch, step, phone)."""
        return self.head(self.norm(self.features(mel))).float()

    def heard(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features (batch, step, width) and log-probabilities of phones (batch, step, phone)."""
        features = self.features(mel)
        scores = self.head(self.norm(features)).float()
        return layer_norm(features.float(), features.shape[-1:]), scores.log_softmax(-1)

    def difference(self, mel: Tensor, heard: tuple[Tensor, Tensor]) -> Tensor:
        """Distance from what was heard in another mel: (batch, step), 0 if it is the same.  `heard` may come from one
        mel for all rows."""
        features, phones = self.heard(mel)
        distance = (features - heard[0]).square().mean(-1) / 2  # 1 - correlation
        surprise = (heard[1].exp() * (heard[1] - phones)).sum(-1)  # Kullback-Leibler divergence in nats
        return surprise + FEATURES * distance
