"""Streams to read, write and damage."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from mlcfile import Chunk, Header, Layout, Reader, Tables, Writer, read_streams, unpack_tables
from mlcfile.rans import LOWEST_STATE, Steps, Stream, _decode_one_by_one
from numpy.typing import NDArray

VECTORS = Path(__file__).parents[2] / "formats" / "vectors"
GOOD = sorted((VECTORS / "good").glob("*.mlc"))
NOT_LIVE = [path for path in GOOD if not path.stem.startswith("live-")]
BROKEN = sorted((VECTORS / "broken").glob("*.mlc"))
SMALL = Layout(chunk_frames=4)
# By name and by id; LINE is for the standard layout, GRID for 6 bits and several rows, FAR for 4 bits.
TABLES = {
    path.stem: unpack_tables(path.read_bytes()) for path in sorted((VECTORS / "tables").glob("*.tables"))
}
TABLES_BY_ID = {tables.id: tables for tables in TABLES.values()}


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
    tables: Tables | None = None

    def chunks(self) -> list[NDArray[np.uint16]]:
        step = self.header.layout.chunk_frames
        return [self.indices[:, start : start + step] for start in range(0, self.indices.shape[1], step)]

    def write(self, file: BytesIO) -> bytes:
        writer = Writer(file, self.header, self.tables)
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


def content(of: Header, samples: int | None = None, seed: int = 0, tables: Tables | None = None) -> Content:
    """Random indices for a stream of `samples`, or as many as its header says; with tables, as these expect them."""
    samples = of.samples if samples is None else samples
    assert samples is not None
    random = np.random.default_rng(seed)
    shape = (of.coded_channels, of.frames_of(samples), of.layout.rows)
    indices = random.integers(0, 1 << of.layout.index_bits, shape, np.uint16, endpoint=False)
    count, bits = (of.globals_.count, of.globals_.bits) if of.globals_ else (0, 1)
    globals_ = random.integers(0, 1 << bits, (of.chunks_of(samples), of.coded_channels, count), np.uint16)
    if tables is not None and indices.size:
        indices = expected(tables, shape, random)
    return Content(of, indices, globals_, samples, tables)


def expected(tables: Tables, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.uint16]:
    """Indices drawn from the tables: what random words decode to."""
    steps = Steps(tables, *shape)
    states = random.integers(LOWEST_STATE, 1 << 32, steps.lanes)
    words = random.integers(0, 1 << 16, np.prod(shape) + steps.lanes)
    return steps.straighten(_decode_one_by_one(steps, Stream(states, words))[0])


def stream(of: Header, samples: int | None = None, seed: int = 0, tables: Tables | None = None) -> bytes:
    return content(of, samples, seed, tables).write(BytesIO())


def with_tables(reader: Reader) -> Reader:
    """The reader, told the tables if its stream needs any that are known here."""
    if tables := TABLES_BY_ID.get(reader.header.tables_id or b""):
        reader.use_tables(tables)
    return reader


def blocks_of(data: bytes) -> list[bytes]:
    """The header and blocks of one intact stream, END included."""
    reader = Reader(BytesIO(data))
    return [reader.header_bytes.data, *(block.data for block in reader.blocks())]


def read_all(data: bytes, conceal: bool = False) -> list[list[Chunk]]:
    """The chunks of each stream; raises what a reader raises."""
    return [list(with_tables(reader)) for reader in read_streams(BytesIO(data), conceal)]
