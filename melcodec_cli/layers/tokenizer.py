"""Tokenizer: a log-mel to a few indices for each column of its frames and back, most often one for each patch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.patches import PatchStack, from_patches, to_patches
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.layers.quantiser import Quantiser
from melcodec_cli.layers.tokenizer_config import TokenizerConfig


class ColumnEncoder(nn.Module):
    """The first half of a tokenizer: standardised mel to (batch, column, row, width)."""

    before: int  # columns that it sees beside a column
    ahead: int


class ColumnDecoder(nn.Module):
    """The second half: codewords (batch, column, row, lookup) to standardised mel."""

    before: int
    ahead: int
    head: Linear  # its last layer


class PatchEncoder(ColumnEncoder):
    """attention, ahead: as in PatchStack."""

    def __init__(self, rows: int, config: TokenizerConfig, attention: int = 0, ahead: int = 0) -> None:
        super().__init__()
        self.side = config.side
        self.widen = Linear(config.side**2, config.width)
        self.stack = PatchStack(config.width, config.encoder_blocks, rows, attention, ahead)
        self.before, self.ahead = self.stack.context, self.stack.ahead

    def forward(self, mel: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        """Standardised mel (batch, side * column, side * row) -> (batch, column, row, width)."""
        return self.stack(self.widen(to_patches(mel, self.side)), memory, inside)


class PatchDecoder(ColumnDecoder):
    """attention, ahead: as in PatchStack."""

    def __init__(self, rows: int, config: TokenizerConfig, attention: int = 0, ahead: int = 0) -> None:
        super().__init__()
        self.side = config.side
        self.widen = Linear(config.lookup_width, config.width)
        self.stack = PatchStack(config.width, config.decoder_blocks, rows, attention, ahead)
        self.head = Linear(config.width, config.side**2)
        self.before, self.ahead = self.stack.context, self.stack.ahead

    def forward(self, points: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        """Codewords (batch, column, row, lookup) -> standardised mel (batch, side * column, side * row)."""
        return self.mel_of(self.features(points, memory, inside))

    def features(self, points: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        """What the mel is made of: (batch, column, row, width)."""
        return self.stack(self.widen(points), memory, inside)

    def mel_of(self, features: Tensor) -> Tensor:
        return from_patches(self.head(features), self.side)


class Tokenizer(nn.Module):
    mean: Tensor
    deviation: Tensor

    def __init__(
        self, bands: int, config: TokenizerConfig, encoder: ColumnEncoder, decoder: ColumnDecoder
    ) -> None:
        super().__init__()
        self.rows = bands // config.side
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        self.encoder = encoder
        self.quantiser = Quantiser(config.width, config.codewords, config.lookup_width)
        self.decoder = decoder

    def standardise(self, mel: Tensor) -> Tensor:
        return (mel - self.mean) / self.deviation

    def restore(self, standard: Tensor) -> Tensor:
        return standard * self.deviation + self.mean

    def quantised(self, latent: Tensor, commitment: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The quantiser's outputs for (batch, column, row, width), all but its loss (batch, column, row, ...)."""
        points, indices, loss, encoded = self.quantiser(latent.flatten(1, 2), commitment=commitment)
        points, indices, encoded = (x.unflatten(1, (-1, self.rows)) for x in (points, indices, encoded))
        return points, indices, loss, encoded

    def choice(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's latents to straight-through codewords and their indices."""
        points, indices, *_ = self.quantised(latent, 0.0)
        return points, indices

    def encode(self, mel: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        """Log-mel (batch, frame, band) -> indices (batch, column, row)."""
        latent = self.encoder(self.standardise(mel), memory, inside).flatten(1, 2)
        return self.quantiser.nearest(latent, 1)[..., 0].unflatten(1, (-1, self.rows))

    @torch.no_grad()
    def recoded(self, mel: Tensor) -> Tensor:
        """(batch, frame, band) -> the same after coding and decoding."""
        return self.decode(self.encode(mel))

    def points_of(self, indices: Tensor) -> Tensor:
        """Indices (batch, column, row), -1 absent -> codewords (batch, column, row, lookup)."""
        return self.quantiser.lookup(indices.flatten(1, 2)).unflatten(1, (-1, self.rows))

    def decode(self, indices: Tensor, memory: Memory | None = None) -> Tensor:
        """Indices (batch, column, row), -1 absent -> log-mel (batch, frame, band)."""
        return self.restore(self.decoder(self.points_of(indices), memory))


def patch_tokenizer(bands: int, config: TokenizerConfig, attention: int = 0, ahead: int = 0) -> Tokenizer:
    """One index for each patch.  attention, ahead: as in PatchStack."""
    rows = bands // config.side
    encoder = PatchEncoder(rows, config, attention, ahead)
    return Tokenizer(bands, config, encoder, PatchDecoder(rows, config, attention, ahead))
