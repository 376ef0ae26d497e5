"""How a codec describes itself, and the interface that it offers to the rest of the program.

This module does without torch: `info` and `models` read shapes from a bundle's metadata.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
from mlcfile import Globals, Layout
from numpy.typing import NDArray

from melcodec_cli.layers.settings import build, require, require_range
from melcodec_cli.systems.span import Span

if TYPE_CHECKING:
    from melcodec_cli.train.stage import Stage

ABSENT = -1  # stands for a lost index
MAX_REACH_S = 600  # longest context that a shape may ask for; shapes may come from untrusted files

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Reach:
    """How many frames before and after a stretch affect its result."""

    before: int
    after: int

    @classmethod
    def around(cls, frames: int) -> Reach:
        return cls(frames, frames)


@dataclass(frozen=True)
class Latency:
    """How much audio, counted from the start of a chunk, must have arrived before the chunk comes out.

    Computing time is extra.  The field names are keys of `info --json`.
    """

    compress_s: float
    decompress_s: float  # of coded audio


@dataclass(frozen=True)
class Shape:
    """How a system's indices are arranged in time, and how much context its networks need."""

    rate_hz: int
    frame_samples: int  # samples at rate_hz
    chunk_frames: int  # default length of a chunk
    index_bits: int
    codewords: int
    encode: Reach
    decode: Reach  # with the default options
    rows: int = 1  # indices per frame
    kind: str = "stages"  # how the rows relate to each other, as in a header
    rows_sent: tuple[int, ...] = (1,)  # row counts that a stream may have
    globals_count: int = 0  # indices sent once per chunk ...
    globals_bits: int = 0  # ... and the bits of each

    def __post_init__(self) -> None:
        layout, _ = self.layout(self.chunk_frames), self.globals_  # both check their own limits
        require_range("", self, 2, 1 << self.index_bits, "codewords")
        require(bool(self.rows_sent), "rows_sent must name at least one number of rows")
        require(
            all(1 <= rows <= self.rows for rows in self.rows_sent), f"rows_sent must lie in 1..{self.rows}"
        )
        most = MAX_REACH_S * layout.model_rate_hz // layout.frame_samples
        for reach in (self.encode, self.decode):
            require_range("reach.", reach, 0, most, "before", "after")

    @property
    def frames_per_s(self) -> float:
        return self.rate_hz / self.frame_samples

    @property
    def globals_(self) -> Globals | None:
        return Globals(self.globals_count, self.globals_bits) if self.globals_count else None

    def layout(self, chunk_frames: int, rows: int | None = None) -> Layout:
        """The layout of a stream with this many rows (None: all)."""
        return Layout(
            index_bits=self.index_bits,
            rows=rows or self.rows,
            kind=self.kind,
            model_rate_hz=self.rate_hz,
            frame_samples=self.frame_samples,
            chunk_frames=chunk_frames,
        )

    def fits(self, layout: Layout) -> bool:
        """Whether a stream of this layout can come from this system."""
        return layout.rows in self.rows_sent and layout == self.layout(layout.chunk_frames, layout.rows)

    @property
    def bits_per_s(self) -> dict[int, float]:
        """Bit rate of the indices of one channel, by the number of rows sent."""
        return {rows: rows * self.index_bits * self.frames_per_s for rows in self.rows_sent}

    def latency(self, chunk_frames: int) -> Latency:
        # A decoder's look-ahead arrives in whole chunks, too.
        chunks_ahead = -(-self.decode.after // chunk_frames)
        return Latency(
            (chunk_frames + self.encode.after) / self.frames_per_s,
            (1 + chunks_ahead) * chunk_frames / self.frames_per_s,
        )

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Shape:
        shape: Shape = build(cls, values, "shape")
        return shape


@dataclass(frozen=True)
class Live:
    """How a system runs frame by frame."""

    delay_s: (
        float  # from a sample's arrival to its leaving the decoder, in single frames, without computing time
    )
    rates_hz: tuple[int, ...]  # that it takes and gives without resampling

    def __post_init__(self) -> None:
        require(0 <= self.delay_s <= MAX_REACH_S, f"delay_s must lie in 0..{MAX_REACH_S}")
        require(all(rate > 0 for rate in self.rates_hz), "rates_hz must be positive")


def live_of(system: System) -> Live | None:
    """None if the system codes whole chunks only."""
    if getattr(system, "latency_samples", None) is None:
        return None
    streaming = cast(Streaming, system)
    return Live(streaming.latency_samples / streaming.shape.rate_hz, tuple(streaming.live_rates_hz))


@dataclass(frozen=True)
class Option:
    """A whole number that the user may set, as --NAME, for encoding or for decoding."""

    name: str
    way: str  # "encode" or "decode"
    low: int
    high: int
    default: int


Options = Mapping[str, int]  # by name; missing ones have their defaults


class Codes(NamedTuple):
    """The indices of one stretch of one channel."""

    indices: NDArray[np.int64]  # (frame, row), ABSENT where lost
    globals_: (
        NDArray[np.int64] | None
    )  # (count,) for a chunk; for decoding (frame, count), those of each frame's chunk


@dataclass(frozen=True)
class Identity:
    """What the two ids of a bundle hash: parts (prefixes of the names of weights) and settings of the profile.

    The encoder is not included, so that a better one can be released for old decoders.
    """

    bitstream_parts: tuple[str, ...]  # define what an index means
    bitstream_settings: tuple[str, ...]
    renderer_parts: tuple[str, ...]  # turn indices into sound
    renderer_settings: tuple[str, ...]
    # Settings added after the first models, with the values that change nothing: a release must not change an id.
    later_settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    unshipped: tuple[str, ...] = ()  # weights needed only for training


class System(Protocol):
    """A codec: one torch module, made from a profile."""

    identity: ClassVar[Identity]

    @classmethod
    def from_profile(cls, profile: Mapping[str, Any]) -> System:
        """Build the system with random weights; ProfileError names an invalid setting."""

    @property
    def profile_values(self) -> dict[str, Any]:
        """The complete settings, from which `from_profile` builds the same system."""

    @property
    def shape(self) -> Shape: ...

    @property
    def options(self) -> Sequence[Option]: ...

    @property
    def suits(self) -> Sequence[str]:
        """What the system is made for: "speech", "music", "sound"."""

    @property
    def device(self) -> Any:
        """The device that holds the weights."""

    def decode_reach(self, options: Options) -> Reach: ...

    def encode(
        self,
        audio: Sequence[Audio],
        spans: Sequence[Span],
        options: Options,
        sent: Sequence[int | None] | None = None,
    ) -> list[Codes]:
        """Code stretches of audio at the system's rate, each (samples of the span's frames,).

        A span includes the reach of `shape.encode` on either side, or less at an end of its stream.  sent: how many
        rows of each stretch the decoder will get, None for all; all are returned.
        """

    def decode(self, codes: Sequence[Codes], spans: Sequence[Span], options: Options) -> list[Audio]:
        """Turn stretches of indices into audio: for each, the samples of the span's kept frames.

        A span includes the reach of `decode_reach(options)` on either side, or less at an end of its stream.
        """

    @classmethod
    def stages(cls, profile: Mapping[str, Any]) -> Sequence[Stage]:
        """The stages of training, in order."""

    def parts(self, options: Options) -> Mapping[str, Any]:
        """The modules by name, in the order in which they run, for benchmarks."""


@dataclass(frozen=True)
class Model:
    """A system with trained weights, and the ids of these weights."""

    system: System
    name: str
    bitstream_id: bytes
    renderer_id: bytes


class Session(Protocol):
    """One direction of a live stream, frame by frame."""

    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        """Take new audio (sample,) or indices (frame, row); return what is ready of the other."""

    def flush(self) -> NDArray[Any]:
        """Return the rest at the end of the stream."""


class Streaming(System, Protocol):
    """A system whose networks keep their state, so that frames can be coded one by one as they arrive."""

    @property
    def latency_samples(self) -> int:
        """How much later a sample leaves the decoder than it entered the encoder, without the time to compute."""

    @property
    def live_rates_hz(self) -> Sequence[int]:
        """The rates at which the same indices can be made and heard without resampling."""

    def at_rate(self, rate_hz: int) -> Streaming:
        """The same system, with the same weights, at one of these rates."""

    @property
    def live_options(self) -> Sequence[Option]:
        """Those of its options for encoding that a stream takes, with the defaults that they have there."""

    def open_encoder(self, rows: int, options: Options) -> Session: ...

    def open_decoder(self) -> Session: ...


@runtime_checkable
class Bounded(Protocol):
    """A system whose sound changes by no more than a known factor of the change in what its vocoder hears."""

    def bounds(self) -> Mapping[str, float]:
        """Lipschitz constants of the vocoder's steps, as logarithms to 10; their sum bounds the whole."""


def bit_rate_text(bits_per_s: float) -> str:
    """A bit rate as --bitrate takes it: 250, 1k or 3.36k, which is near enough."""
    return f"{bits_per_s / 1000:.3g}k" if bits_per_s >= 1000 else f"{bits_per_s:g}"


def rows_for(shape: Shape, bits_per_s: float) -> int | None:
    """The number of rows that gives this bit rate within 1 %, or None."""
    fitting = [
        rows for rows, each in shape.bits_per_s.items() if math.isclose(each, bits_per_s, rel_tol=0.01)
    ]
    return fitting[0] if fitting else None
