"""Streams to read, write and damage."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from mlcfile import Chunk, Header, Layout, Reader, Writer, read_streams
from numpy.typing import NDArray

VECTORS = Path(__file__).parents[2] / "formats" / "vectors"
GOOD = sorted((VECTORS / "good").glob("*.mlc"))
BROKEN = sorted((VECTORS / "broken").glob("*.mlc"))
SMALL = Layout(chunk_frames=4)


class Pipe(BytesIO):
    """Bytes that can only be read or written in order."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("a pipe cannot be seeked")

    def tell(self) -> int:
        raise OSError("a pipe cannot be seeked")


def header(samples: int | None, **other: Any) -> Header:
    fields: dict[str, Any] = {"bitstream_id": b"bits", "renderer_id": b"rd", "rate_hz": 16_000, "channels": 1}
    return Header(**(fields | {"samples": samples} | other))


@dataclass(frozen=True, eq=False)
class Content:
    """What a stream is made of."""

    header: Header
    indices: NDArray[np.uint16]  # (coded channel, frame, row)
    globals_: NDArray[np.uint16]  # (chunk, coded channel, count)
    samples: int

    def chunks(self) -> list[NDArray[np.uint16]]:
        step = self.header.layout.chunk_frames
        return [self.indices[:, start : start + step] for start in range(0, self.indices.shape[1], step)]

    def write(self, file: BytesIO) -> bytes:
        writer = Writer(file, self.header)
        for number, indices in enumerate(self.chunks()):
            if self.header.globals_ is not None and self.header.globals_.scope == "stream":
                writer.write_globals(self.globals_[number])
            own = self.globals_[number] if self.header.chunk_globals_bits else None
            writer.write_chunk(indices, own)
        writer.finish(self.samples)
        return file.getvalue()

    def assert_in(self, chunks: list[Chunk]) -> None:
        assert [chunk.number for chunk in chunks] == list(range(len(self.chunks())))
        for chunk, indices in zip(chunks, self.chunks(), strict=True):
            assert chunk.first_frame == chunk.number * self.header.layout.chunk_frames
            assert chunk.indices.dtype == np.uint16
            np.testing.assert_array_equal(chunk.indices, indices)
            if self.header.globals_ is None:
                assert chunk.globals_ is None
            else:
                np.testing.assert_array_equal(chunk.globals_, self.globals_[chunk.number])


def content(of: Header, samples: int | None = None, seed: int = 0) -> Content:
    """Random indices for a stream of `samples`, or as many as its header says."""
    samples = of.samples if samples is None else samples
    assert samples is not None
    random = np.random.default_rng(seed)
    shape = (of.coded_channels, of.frames_of(samples), of.layout.rows)
    indices = random.integers(0, 1 << of.layout.index_bits, shape, np.uint16, endpoint=False)
    count, bits = (of.globals_.count, of.globals_.bits) if of.globals_ else (0, 1)
    globals_ = random.integers(0, 1 << bits, (of.chunks_of(samples), of.coded_channels, count), np.uint16)
    return Content(of, indices, globals_, samples)


def stream(of: Header, samples: int | None = None, seed: int = 0) -> bytes:
    return content(of, samples, seed).write(BytesIO())


def blocks_of(data: bytes) -> list[bytes]:
    """The header and blocks of one intact stream, END included."""
    reader = Reader(BytesIO(data))
    return [reader.header_bytes.data, *(block.data for block in reader.blocks())]


def read_all(data: bytes, conceal: bool = False) -> list[list[Chunk]]:
    """The chunks of each stream; raises what a reader raises."""
    return [list(reader) for reader in read_streams(BytesIO(data), conceal)]
