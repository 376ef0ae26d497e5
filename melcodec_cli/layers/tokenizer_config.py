"""Settings of a tokenizer, separate from the layer so that a profile can be read without torch."""

from __future__ import annotations

from dataclasses import dataclass

from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.settings import require, require_range

MAX_WIDTH, MAX_BLOCKS = 4096, 64
MAX_ROWS = 32  # patches of a column: the container takes no more


@dataclass(frozen=True)
class TokenizerConfig:
    side: int = 4  # mel frames, and bands, of a patch
    codewords: int = 4096
    lookup_width: int = 8  # codewords are compared by cosine in this many dimensions
    width: int = 128
    encoder_blocks: int = 4
    decoder_blocks: int = 6

    def __post_init__(self) -> None:
        require_range("tokenizer.", self, 1, 64, "side")
        require_range("tokenizer.", self, 2, 65536, "codewords")
        require_range("tokenizer.", self, 1, MAX_WIDTH, "lookup_width", "width")
        require_range("tokenizer.", self, 0, MAX_BLOCKS, "encoder_blocks", "decoder_blocks")

    @property
    def index_bits(self) -> int:
        return (self.codewords - 1).bit_length()

    def require_fit(self, mel: MelConfig) -> None:
        """Require that columns of patches fill the mel, and the container can hold them."""
        require(
            mel.bands % self.side == 0 and mel.bands // self.side <= MAX_ROWS,
            f"mel.bands must be a multiple of tokenizer.side, at most {MAX_ROWS} times it",
        )
