"""The arrangement of a stream's indices: their width, the number per frame, the frames per chunk."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BODY_BYTES = 1 << 20  # no block is longer, so a damaged file cannot make a reader allocate more
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
MAX_ROWS = 32
KINDS = ("stages", "column")  # position in the tuple = value in the file
SCOPES = ("chunk", "stream")


def check_range(name: str, value: int, low: int, high: int) -> int:
    """Returns `value` if it is a whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} {value!r} is outside {low}..{high}")
    return value


@dataclass(frozen=True)
class Layout:
    """The arrangement of indices. The defaults are the standard layout, which headers leave out."""

    index_bits: int = 10  # width of every index
    rows: int = 1  # indices per frame and coded channel
    kind: str = "stages"  # what the rows are: "stages" that refine one another, or a "column" of a 2-D grid
    model_rate_hz: int = 16_000  # rate at which frames are counted
    frame_samples: int = 640  # samples at the model's rate that a frame covers
    chunk_frames: int = 500  # frames in every chunk but the last

    def __post_init__(self) -> None:
        check_range("index_bits", self.index_bits, 1, 16)
        check_range("rows", self.rows, 1, MAX_ROWS)
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is not one of {', '.join(KINDS)}")
        check_range("model_rate_hz", self.model_rate_hz, MIN_RATE_HZ, MAX_RATE_HZ)
        check_range("frame_samples", self.frame_samples, 1, 1 << 20)
        check_range("chunk_frames", self.chunk_frames, 1, 1 << 16)


@dataclass(frozen=True)
class Globals:
    """Indices that hold for longer than a frame, such as the timbre of a voice."""

    count: int  # global indices per coded channel
    bits: int  # width of each
    scope: str = "chunk"  # "chunk": every chunk carries its own; "stream": GLOBAL blocks carry them

    def __post_init__(self) -> None:
        check_range("globals count", self.count, 1, 64)
        check_range("globals bits", self.bits, 1, 16)
        if self.scope not in SCOPES:
            raise ValueError(f"globals scope {self.scope!r} is not one of {', '.join(SCOPES)}")
