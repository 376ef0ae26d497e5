"""Profiles of meltok: its settings, as frozen data.

Bundles may come from untrusted sources, so every size has a limit, far above any useful value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from melcodec_cli.layers import tokenizer_config
from melcodec_cli.layers.mel_config import MAX_SAMPLES, MelConfig
from melcodec_cli.layers.settings import require, require_range
from melcodec_cli.layers.tokenizer_config import MAX_BLOCKS, MAX_WIDTH
from melcodec_cli.systems.profile import SystemProfile

MAX_NOISE_FRAMES = 1 << 14
MAX_ROUNDS = 64
MAX_CHUNK_S = 60
MAX_SPECTRUM_VALUES = 1 << 26  # values in the spectra of the longest chunk


@dataclass(frozen=True)
class TokenizerConfig(tokenizer_config.TokenizerConfig):
    """`patches` has an index for each patch of a column.  `line` has as many for a column, each of its whole spectrum,
    and uses all but `attention`."""

    side: int = 8
    codewords: int = 8192
    lookup_width: int = 16
    width: int = 192
    encoder_blocks: int = 6
    decoder_blocks: int = 8
    structure: str = "patches"
    attention: int = 2  # after how many blocks the patches of a column attend to each other; 0: never

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.structure in ("patches", "line"),
            f"tokenizer.structure {self.structure!r} must be patches or line",
        )
        require_range("tokenizer.", self, 0, MAX_BLOCKS, "attention")
        require(self.width % 4 == 0, "tokenizer.width must be a multiple of 4, the heads of the attention")


@dataclass(frozen=True)
class VocoderConfig:
    hears: str = "mel"  # the decoded mel; or "tokens": a mel decoder of its own up to its last features
    fft_samples: int = 2048  # length of its spectra
    hop_frames: int = 2  # mel frames from one spectrum to the next
    width: int = 384
    blocks: int = 8
    nonlinearity: str = "snake"  # or "gelu"
    noise_frames: int = 1720  # mel frames in the loop of steady noise
    rounds: int = 0  # in which spectra that overlap agree on their phases

    def __post_init__(self) -> None:
        require(self.hears in ("mel", "tokens"), f"vocoder.hears {self.hears!r} must be mel or tokens")
        require(
            self.nonlinearity in ("snake", "gelu"),
            f"vocoder.nonlinearity {self.nonlinearity!r} must be snake or gelu",
        )
        require_range("vocoder.", self, 2, MAX_SAMPLES, "fft_samples")
        require_range("vocoder.", self, 1, MAX_WIDTH, "width")
        require_range("vocoder.", self, 0, MAX_BLOCKS, "blocks")
        require_range("vocoder.", self, 1, 64, "hop_frames")
        require_range("vocoder.", self, 1, MAX_NOISE_FRAMES, "noise_frames")
        require_range("vocoder.", self, 0, MAX_ROUNDS, "rounds")


def _mel() -> MelConfig:
    return MelConfig(
        rate_hz=44100, fft_samples=2048, window_samples=2048, hop_samples=256, bands=96, high_hz=20000.0
    )


@dataclass(frozen=True)
class Profile(SystemProfile):
    system = "meltok"
    name: str = "audio-44k-3400"
    mel: MelConfig = field(default_factory=_mel)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)
    chunk_columns: int = 430  # 20 s at 21.5 columns a second

    def __post_init__(self) -> None:
        self.tokenizer.require_fit(self.mel)
        require(
            self.tokenizer.side % self.vocoder.hop_frames == 0,
            "vocoder.hop_frames must divide tokenizer.side",
        )
        require(
            self.vocoder.hears == "mel" or self.tokenizer.structure == "patches",
            "vocoder.hears 'tokens' needs tokenizer.structure 'patches'",
        )
        hop_samples = self.vocoder_hop_samples
        require(
            self.vocoder.fft_samples in range(4 * hop_samples, MAX_SAMPLES + 1, 2 * hop_samples),
            "vocoder.fft_samples must be 4, 6, 8 ... times vocoder.hop_frames * mel.hop_samples",
        )
        widest = max(self.mel.fft_samples, self.vocoder.fft_samples)
        require(
            MAX_CHUNK_S * self.mel.rate_hz * widest // self.mel.hop_samples <= MAX_SPECTRUM_VALUES,
            f"mel.fft_samples and vocoder.fft_samples make spectra of more than {MAX_SPECTRUM_VALUES} values "
            f"in {MAX_CHUNK_S} s",
        )
        require_range("", self, 1, MAX_CHUNK_S * self.mel.rate_hz // self.column_samples, "chunk_columns")

    @property
    def rows(self) -> int:
        """Indices of a column."""
        return self.mel.bands // self.tokenizer.side

    @property
    def column_samples(self) -> int:
        return self.mel.hop_samples * self.tokenizer.side

    @property
    def vocoder_hop_samples(self) -> int:
        return self.mel.hop_samples * self.vocoder.hop_frames
