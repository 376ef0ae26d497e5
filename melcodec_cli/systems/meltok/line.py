"""The other tokenizer: a line of indices, each of which says something about the whole spectrum.

It has as many indices a second as there are patches, and networks in one dimension.  It is there to be compared with:
the published claim is that patches code better.
"""

from __future__ import annotations

from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.layers.tokenizer import ColumnDecoder, ColumnEncoder, Tokenizer
from melcodec_cli.layers.tokenizer_config import TokenizerConfig


class LineEncoder(ColumnEncoder):
    def __init__(self, bands: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.side, self.rows = config.side, bands // config.side
        self.widen = Linear(config.side * bands, config.width)
        self.stack = BlockStack(config.width, (1,) * config.encoder_blocks)
        self.norm = nn.LayerNorm(config.width)
        self.split = Linear(config.width, self.rows * config.width)
        self.before = self.ahead = self.stack.context

    def forward(self, mel: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        """Standardised mel (batch, side * column, band) -> (batch, column, row, width)."""
        columns = self.widen(mel.unflatten(1, (-1, self.side)).flatten(2))
        return self.split(self.norm(self.stack(columns, inside=inside))).unflatten(2, (self.rows, -1))


class LineDecoder(ColumnDecoder):
    def __init__(self, bands: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.side = config.side
        self.join = Linear(bands // config.side * config.lookup_width, config.width)
        self.stack = BlockStack(config.width, (1,) * config.decoder_blocks)
        self.norm = nn.LayerNorm(config.width)
        self.head = Linear(config.width, config.side * bands)
        self.before = self.ahead = self.stack.context

    def forward(self, points: Tensor, memory: Memory | None = None, inside: Tensor | None = None) -> Tensor:
        """Codewords (batch, column, row, lookup) -> standardised mel (batch, side * column, band)."""
        columns = self.norm(self.stack(self.join(points.flatten(2)), inside=inside))
        return self.head(columns).unflatten(2, (self.side, -1)).flatten(1, 2)


def line_tokenizer(bands: int, config: TokenizerConfig) -> Tokenizer:
    return Tokenizer(bands, config, LineEncoder(bands, config), LineDecoder(bands, config))
