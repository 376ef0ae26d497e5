"""Profiles: the settings of a chain, as frozen data.

A profile defines what a stream's indices mean (front end, coder, timbre) and which stages render them (refiner,
vocoder).  It is stored as JSON in the metadata of a bundle.

Bundles may come from untrusted sources, so every size has a limit, far above any useful value.  A profile that exceeds
one is refused before anything is built or allocated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from melcodec_cli.layers.mel_config import MAX_SAMPLES, MelConfig
from melcodec_cli.layers.pitch_config import PitchConfig
from melcodec_cli.layers.settings import require, require_range, require_upsampling
from melcodec_cli.systems.profile import SystemProfile

MAX_WIDTH, MAX_BLOCKS = 4096, 64
MAX_DILATION_SUM = 128  # of a refiner: bounds its receptive field per step
MAX_STEPS = 64
MAX_NOISE_FRAMES = 1 << 14
MAX_CHUNK_S = 60
MAX_SPECTRUM_VALUES = 1 << 26  # values in the spectra of the longest chunk, all in memory at once


@dataclass(frozen=True)
class CoderConfig:
    codewords: int = 1024
    lookup_width: int = 8  # codewords are compared by cosine in this many dimensions
    token_frames: int = 4  # mel frames per index
    half_width: int = 256  # channels at half the frame rate (50 Hz)
    token_width: int = 384  # channels at the token rate (25 Hz)
    frame_width: int = 192  # channels at the frame rate (100 Hz)
    encoder_frame_blocks: int = 0  # 0: the mel goes straight to half the rate
    encoder_half_blocks: int = 2
    encoder_token_blocks: int = 6
    decoder_token_blocks: int = 6
    decoder_half_blocks: int = 3
    decoder_frame_blocks: int = 2

    def __post_init__(self) -> None:
        require(
            self.token_frames == 4, "coder.token_frames must be 4: the network halves the frame rate twice"
        )
        require_range("coder.", self, 2, 65536, "codewords")
        widths = ("lookup_width", "half_width", "token_width", "frame_width")
        require_range("coder.", self, 1, MAX_WIDTH, *widths)
        encoder_blocks = ("encoder_frame_blocks", "encoder_half_blocks", "encoder_token_blocks")
        require_range("coder.", self, 0, MAX_BLOCKS, *encoder_blocks)
        decoder_blocks = ("decoder_token_blocks", "decoder_half_blocks", "decoder_frame_blocks")
        require_range("coder.", self, 0, MAX_BLOCKS, *decoder_blocks)

    @property
    def index_bits(self) -> int:
        return (self.codewords - 1).bit_length()


@dataclass(frozen=True)
class SearchConfig:
    """The search for indices by what they decode to.  It does not affect decoding."""

    choices: int = 2  # codewords tried for each token; 1: the nearest, without a search
    phases: int = 5  # one of this many tokens changes at a time
    envelope: float = 2.0  # weight of envelope correlation relative to mel distance
    pitch: float = 0.4  # weight of the pitch and voicing that the pitch stage hears
    phones: float = 0.0  # weight of the phones that the listener hears

    def __post_init__(self) -> None:
        require_range("search.", self, 1, 64, "choices", "phases")
        require_range("search.", self, 0, 100, "envelope", "pitch", "phones")


@dataclass(frozen=True)
class PhonesConfig:
    """The listener, which judges the coder in training and in the search.  It does not affect decoding."""

    stride: int = 2  # mel frames per step of the listener
    width: int = 192
    blocks: int = 6

    def __post_init__(self) -> None:
        require_range("phones.", self, 1, 16, "stride")
        require_range("phones.", self, 1, MAX_WIDTH, "width")
        require_range("phones.", self, 0, MAX_BLOCKS, "blocks")


@dataclass(frozen=True)
class TimbreConfig:
    """Values sent once per chunk for voice and recording, each rounded to 2**bits levels."""

    values: int = 32
    bits: int = 3
    width: int = 192
    blocks: int = 3

    def __post_init__(self) -> None:
        require_range("timbre.", self, 1, 64, "values")
        require_range("timbre.", self, 1, 16, "bits")
        require_range("timbre.", self, 1, MAX_WIDTH, "width")
        require_range("timbre.", self, 0, MAX_BLOCKS, "blocks")


@dataclass(frozen=True)
class RefinerConfig:
    """A flow from `anchor` * coarse mel + `noise` * normal noise; the published scheme has 0 and 1."""

    name: str = "flow"
    width: int = 192
    dilations: tuple[int, ...] = (1, 1, 2, 2, 1, 1)
    anchor: float = 1.0
    noise: float = 0.5
    predicts: str = "end"  # network output: the `end` of the flow, or its `velocity` as published
    steps: int = 2  # default number of Euler steps

    def __post_init__(self) -> None:
        require_range("refiner.", self, 1, MAX_WIDTH, "width")
        require_range("refiner.", self, 0, MAX_STEPS, "steps")
        require_range("refiner.", self, -100, 100, "anchor", "noise")
        require(len(self.dilations) <= MAX_BLOCKS, f"refiner.dilations must have at most {MAX_BLOCKS} values")
        require(
            all(dilation >= 1 for dilation in self.dilations) and sum(self.dilations) <= MAX_DILATION_SUM,
            f"refiner.dilations must each be at least 1, with a sum of at most {MAX_DILATION_SUM}",
        )


@dataclass(frozen=True)
class VocoderConfig:
    """`harmonic` uses fft_samples, hop_frames, width, blocks and the noise; `hifigan` the upsampling lists."""

    name: str = "harmonic"
    fft_samples: int = 640
    hop_frames: int = 1  # mel frames from one spectrum to the next
    width: int = 256
    blocks: int = 8
    noise_frames: int = 0  # length of a loop of steady noise stored with the weights; 0: fresh white noise
    noise_even: bool = False  # gives the spectra of noise the same magnitude in every bin
    upsample_strides: tuple[int, ...] = (5, 4, 4, 2)
    upsample_kernels: tuple[int, ...] = (11, 8, 8, 4)
    upsample_width: int = 512
    contrast: float = 1.0  # contrast added to coarse mels that were not refined; 1: unchanged

    def __post_init__(self) -> None:
        require_range("vocoder.", self, 2, MAX_SAMPLES, "fft_samples")
        require(self.hop_frames in (1, 2, 4), "vocoder.hop_frames must be 1, 2 or 4")
        require_range("vocoder.", self, 1, MAX_WIDTH, "width")
        require_range("vocoder.", self, 0, MAX_BLOCKS, "blocks")
        require_range("vocoder.", self, 0, MAX_NOISE_FRAMES, "noise_frames")
        require_range("vocoder.", self, 0, 4, "contrast")
        require_upsampling(self.upsample_strides, self.upsample_kernels, self.upsample_width)


@dataclass(frozen=True)
class Profile(SystemProfile):
    name: str = "speech-16k"
    mel: MelConfig = field(default_factory=MelConfig)
    coder: CoderConfig = field(default_factory=CoderConfig)
    timbre: TimbreConfig | None = field(default_factory=TimbreConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    phones: PhonesConfig | None = None
    refiner: RefinerConfig | None = field(default_factory=RefinerConfig)
    pitch: PitchConfig | None = field(default_factory=PitchConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)
    chunk_tokens: int = 500  # 20 s at 25 tokens a second

    def __post_init__(self) -> None:
        longest = MAX_CHUNK_S * self.mel.rate_hz // self.token_samples
        require_range("", self, 1, longest, "chunk_tokens")
        require(
            self.vocoder.name in ("harmonic", "hifigan"), f"vocoder.name {self.vocoder.name!r} is unknown"
        )
        if self.vocoder.name == "harmonic":
            hop_samples = self.vocoder.hop_frames * self.mel.hop_samples
            require(self.pitch is not None, "the harmonic vocoder needs a pitch stage")
            require(
                self.vocoder.fft_samples in range(4 * hop_samples, MAX_SAMPLES + 1, 2 * hop_samples),
                "vocoder.fft_samples must be 4, 6, 8 ... times vocoder.hop_frames * mel.hop_samples",
            )
        else:
            require(
                math.prod(self.vocoder.upsample_strides) == self.mel.hop_samples,
                "the product of vocoder.upsample_strides must be mel.hop_samples",
            )
        widest = self.mel.fft_samples
        if self.vocoder.name == "harmonic":
            widest = max(widest, self.vocoder.fft_samples)
        require(
            MAX_CHUNK_S * self.mel.rate_hz * widest // self.mel.hop_samples <= MAX_SPECTRUM_VALUES,
            f"mel.fft_samples and vocoder.fft_samples make spectra of more than {MAX_SPECTRUM_VALUES} values "
            f"in {MAX_CHUNK_S} s",
        )
        require(self.phones is not None or not self.search.phones, "search.phones needs the listener, phones")
        if self.refiner is not None:
            require(self.refiner.name == "flow", f"refiner.name {self.refiner.name!r} is unknown")
            require(self.refiner.predicts in ("end", "velocity"), "refiner.predicts must be end or velocity")

    @property
    def token_samples(self) -> int:
        return self.mel.hop_samples * self.coder.token_frames

    @property
    def tokens_per_second(self) -> float:
        return self.mel.rate_hz / self.token_samples
