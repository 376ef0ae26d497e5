"""Profiles of the patch codec: its settings, as frozen data.

Bundles may come from untrusted sources, so every size has a limit, far above any useful value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from melcodec_cli.layers.mel_config import MAX_SAMPLES, MelConfig
from melcodec_cli.layers.pitch_config import PitchConfig
from melcodec_cli.layers.settings import require, require_range, require_upsampling
from melcodec_cli.layers.tokenizer_config import TokenizerConfig
from melcodec_cli.systems.profile import SystemProfile

MAX_WIDTH, MAX_BLOCKS = 4096, 64
MAX_NOISE_FRAMES = 1 << 14
MAX_CHUNK_S = 60
MAX_SPECTRUM_VALUES = 1 << 26  # values in the spectra of the longest chunk


@dataclass(frozen=True)
class VocoderConfig:
    """`harmonic` is causal, and uses all but the upsampling lists; `hifigan`, as published, uses only these."""

    name: str = "harmonic"
    fft_samples: int = 512  # length of the spectra that it shapes
    width: int = 320
    blocks: int = 8
    noise_frames: int = 1250  # mel frames in the loop of steady noise: 10 s
    upsample_strides: tuple[int, ...] = (4, 4, 4, 2)
    upsample_kernels: tuple[int, ...] = (8, 8, 8, 4)
    upsample_width: int = 512

    def __post_init__(self) -> None:
        require(self.name in ("harmonic", "hifigan"), f"vocoder.name {self.name!r} is unknown")
        require_range("vocoder.", self, 2, MAX_SAMPLES, "fft_samples")
        require_range("vocoder.", self, 1, MAX_WIDTH, "width")
        require_range("vocoder.", self, 0, MAX_BLOCKS, "blocks")
        require_range("vocoder.", self, 1, MAX_NOISE_FRAMES, "noise_frames")
        require_upsampling(self.upsample_strides, self.upsample_kernels, self.upsample_width)


@dataclass(frozen=True)
class Profile(SystemProfile):
    system = "patch"
    name: str = "speech-16k-near"
    mel: MelConfig = field(
        default_factory=lambda: MelConfig(fft_samples=512, window_samples=512, hop_samples=128)
    )
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    pitch: PitchConfig = field(default_factory=PitchConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)
    chunk_columns: int = 625  # 20 s at 31.25 columns a second

    def __post_init__(self) -> None:
        self.tokenizer.require_fit(self.mel)
        hop_samples = self.mel.hop_samples
        require(
            self.vocoder.name != "hifigan" or math.prod(self.vocoder.upsample_strides) == hop_samples,
            "the product of vocoder.upsample_strides must be mel.hop_samples",
        )
        require(
            self.vocoder.fft_samples in range(4 * hop_samples, MAX_SAMPLES + 1, 2 * hop_samples),
            "vocoder.fft_samples must be 4, 6, 8 ... times mel.hop_samples",
        )
        widest = max(self.mel.fft_samples, self.vocoder.fft_samples)
        require(
            MAX_CHUNK_S * self.mel.rate_hz * widest // hop_samples <= MAX_SPECTRUM_VALUES,
            f"mel.fft_samples and vocoder.fft_samples make spectra of more than {MAX_SPECTRUM_VALUES} values "
            f"in {MAX_CHUNK_S} s",
        )
        require_range("", self, 1, MAX_CHUNK_S * self.mel.rate_hz // self.column_samples, "chunk_columns")

    @property
    def column_samples(self) -> int:
        return self.mel.hop_samples * self.tokenizer.side
