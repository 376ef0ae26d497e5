"""What a codec says of itself, and what it must offer to everything else.

Of tensors nothing is known here: `info` and `models` read shapes from a bundle's metadata without loading torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from mlcfile import Globals, Layout
from numpy.typing import NDArray

from melcodec_cli.layers.settings import build, require, require_range
from melcodec_cli.systems.span import Span

if TYPE_CHECKING:
    from melcodec_cli.train.stage import Stage

ABSENT = -1  # in the place of an index that was lost
MAX_REACH_S = 600  # of context that a stranger's shape may ask for

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Reach:
    """How many frames on either side of a stretch its result depends on."""

    before: int
    after: int

    @classmethod
    def around(cls, frames: int) -> Reach:
        return cls(frames, frames)


@dataclass(frozen=True)
class Latency:
    """How much audio must have gone in, counted from a chunk's beginning, before the chunk comes out.

    The time of computing comes on top.  The field names are keys of `info --json`.
    """

    compress_s: float
    decompress_s: float  # of coded audio


@dataclass(frozen=True)
class Shape:
    """How a system's indices lie in time, and how far its networks look."""

    rate_hz: int
    frame_samples: int  # at that rate
    chunk_frames: int  # unless the user says how long chunks are
    index_bits: int
    codewords: int
    encode: Reach
    decode: Reach  # with the options that are the default
    rows: int = 1  # indices of a frame
    kind: str = "stages"  # what the rows are to each other, as in a header
    rows_sent: tuple[int, ...] = (1,)  # numbers of rows that a stream may have
    globals_count: int = 0  # indices sent once a chunk ...
    globals_bits: int = 0  # ... of so many bits each

    def __post_init__(self) -> None:
        layout, _ = self.layout(self.chunk_frames), self.globals_  # which know their own limits
        require_range("", self, 2, 1 << self.index_bits, "codewords")
        require(bool(self.rows_sent), "rows_sent must name a number of rows")
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
        """How a stream with so many rows (all if None) is laid out."""
        return Layout(
            index_bits=self.index_bits,
            rows=rows or self.rows,
            kind=self.kind,
            model_rate_hz=self.rate_hz,
            frame_samples=self.frame_samples,
            chunk_frames=chunk_frames,
        )

    def fits(self, layout: Layout) -> bool:
        """Whether a stream that is laid out so can be one of this system's."""
        return layout.rows in self.rows_sent and layout == self.layout(layout.chunk_frames, layout.rows)

    @property
    def bits_per_s(self) -> dict[int, float]:
        """By the number of rows sent: what the indices of one channel take."""
        return {rows: rows * self.index_bits * self.frames_per_s for rows in self.rows_sent}

    def latency(self, chunk_frames: int) -> Latency:
        # A decoder's look-ahead comes in whole chunks, too.
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
class Option:
    """A whole number that the user may set, as --NAME, on one of the two ways."""

    name: str
    way: str  # "encode" or "decode"
    low: int
    high: int
    default: int


Options = Mapping[str, int]  # by name; what is not there is as by default


class Codes(NamedTuple):
    """The indices of one stretch of one channel."""

    indices: NDArray[np.int64]  # (frame, row), ABSENT where they were lost
    globals_: (
        NDArray[np.int64] | None
    )  # (count,) of a chunk; for decoding (frame, count), of each frame's chunk


@dataclass(frozen=True)
class Identity:
    """What the two ids of a bundle are hashes of: parts (beginnings of weights' names) and settings of the profile.

    The encoder belongs to neither: a better one may be released for old decoders.
    """

    bitstream_parts: tuple[str, ...]  # define what an index means
    bitstream_settings: tuple[str, ...]
    renderer_parts: tuple[str, ...]  # make it sound
    renderer_settings: tuple[str, ...]
    # Settings that came after the first models, with the values that are as before: ids must outlast a release.
    later_settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    unshipped: tuple[str, ...] = ()  # weights that only training needs


class System(Protocol):
    """A codec: one torch module, made from a profile."""

    identity: ClassVar[Identity]

    @classmethod
    def from_profile(cls, profile: Mapping[str, Any]) -> System:
        """Build it with random weights; ProfileError names a setting that makes no sense."""

    @property
    def profile_values(self) -> dict[str, Any]:
        """The settings that `from_profile` makes the same again of."""

    @property
    def shape(self) -> Shape: ...

    @property
    def options(self) -> Sequence[Option]: ...

    @property
    def suits(self) -> Sequence[str]:
        """What it is for: "speech", "music", "sound"."""

    @property
    def device(self) -> Any:
        """Where its weights are."""

    def decode_reach(self, options: Options) -> Reach: ...

    def encode(self, audio: Sequence[Audio], spans: Sequence[Span], options: Options) -> list[Codes]:
        """Code stretches of audio at the system's rate: (samples of the span's frames,) each.

        A span has the reach of `shape.encode` on either side, or as much as there is of its stream.
        """

    def decode(self, codes: Sequence[Codes], spans: Sequence[Span], options: Options) -> list[Audio]:
        """Make audio of stretches of indices: the samples of the span's kept frames, of each.

        A span has the reach of `decode_reach(options)` on either side, or as much as there is of its stream.
        """

    @classmethod
    def stages(cls, profile: Mapping[str, Any]) -> Sequence[Stage]:
        """What is trained, in order."""

    def parts(self, options: Options) -> Mapping[str, Any]:
        """Its modules by name, in the order in which they run, for whoever times and counts them."""


@dataclass(frozen=True)
class Model:
    """A system with weights, and the ids that these have."""

    system: System
    name: str
    bitstream_id: bytes
    renderer_id: bytes


class Session(Protocol):
    """One direction of a live stream, frame by frame."""

    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        """Take what has arrived, audio (sample,) or indices (frame, row); give what is ready of the other."""

    def flush(self) -> NDArray[Any]:
        """The rest, when nothing more will come."""


class Streaming(System, Protocol):
    """A system whose networks keep their state, so that single frames can be coded as they come."""

    def open_encoder(self, rows: int) -> Session: ...

    def open_decoder(self) -> Session: ...


def bit_rate_text(bits_per_s: float) -> str:
    """250 or 1k or 7.5k, as --bitrate takes it."""
    return f"{bits_per_s / 1000:g}k" if bits_per_s >= 1000 else f"{bits_per_s:g}"


def rows_for(shape: Shape, bits_per_s: float) -> int | None:
    """How many rows make the bit rate, within a hundredth; None if no number does."""
    fitting = [
        rows for rows, each in shape.bits_per_s.items() if math.isclose(each, bits_per_s, rel_tol=0.01)
    ]
    return fitting[0] if fitting else None
