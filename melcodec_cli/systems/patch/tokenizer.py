"""Tokenizer: a log-mel, cut into square patches, to one index for each patch and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.patches import PatchStack, from_patches, to_patches
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.layers.quantiser import Quantiser
from melcodec_cli.systems.patch.config import TokenizerConfig


class PatchEncoder(nn.Module):
    def __init__(self, rows: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.side = config.side
        self.widen = Linear(config.side**2, config.width)
        self.stack = PatchStack(config.width, config.encoder_blocks, rows)

    def forward(self, mel: Tensor, memory: Memory | None = None) -> Tensor:
        """Standardised mel (batch, side * column, side * row) -> (batch, column, row, width)."""
        return self.stack(self.widen(to_patches(mel, self.side)), memory)


class PatchDecoder(nn.Module):
    def __init__(self, rows: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.side = config.side
        self.widen = Linear(config.lookup_width, config.width)
        self.stack = PatchStack(config.width, config.decoder_blocks, rows)
        self.head = Linear(config.width, config.side**2)

    def forward(self, points: Tensor, memory: Memory | None = None) -> Tensor:
        """Codewords (batch, column, row, lookup) -> standardised mel (batch, side * column, side * row)."""
        return from_patches(self.head(self.stack(self.widen(points), memory)), self.side)


class Tokenizer(nn.Module):
    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.rows = bands // config.side
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        self.encoder = PatchEncoder(self.rows, config)
        self.quantiser = Quantiser(config.width, config.codewords, config.lookup_width)
        self.decoder = PatchDecoder(self.rows, config)

    def standardise(self, mel: Tensor) -> Tensor:
        return (mel - self.mean) / self.deviation

    def restore(self, standard: Tensor) -> Tensor:
        return standard * self.deviation + self.mean

    def quantised(self, latent: Tensor, commitment: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The quantiser's outputs for (batch, column, row, width), all but its loss (batch, column, row, ...)."""
        points, indices, loss, encoded = self.quantiser(latent.flatten(1, 2), commitment=commitment)
        points, indices, encoded = (x.unflatten(1, (-1, self.rows)) for x in (points, indices, encoded))
        return points, indices, loss, encoded

    def encode(self, mel: Tensor, memory: Memory | None = None) -> Tensor:
        """Log-mel (batch, frame, band) -> indices (batch, column, row)."""
        latent = self.encoder(self.standardise(mel), memory).flatten(1, 2)
        return self.quantiser.nearest(latent, 1)[..., 0].unflatten(1, (-1, self.rows))

    @torch.no_grad()
    def recoded(self, mel: Tensor) -> Tensor:
        """(batch, frame, band) -> the same after coding and decoding."""
        return self.decode(self.encode(mel))

    def decode(self, indices: Tensor, memory: Memory | None = None) -> Tensor:
        """Indices (batch, column, row), -1 absent -> log-mel (batch, frame, band)."""
        points = self.quantiser.lookup(indices.flatten(1, 2)).unflatten(1, (-1, self.rows))
        return self.restore(self.decoder(points, memory))
