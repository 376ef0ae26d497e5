"""Files that are not seekable or that take or give less than asked, and lengths filled in afterwards."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
from mlcfile import Globals, Reader, Writer, read_streams

from .streams import SMALL, Pipe, blocks_of, content, header, stream

CHUNK = np.zeros((1, 4, 1), int)


def test_a_chunk_is_there_as_soon_as_its_bytes_are() -> None:
    blocks = blocks_of(stream(header(12 * 640, layout=SMALL)))
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink:
        sink.write(blocks[0])
        chunks = iter(Reader(source))
        for number, block in enumerate(blocks[1:-1]):
            sink.write(block)
            assert next(chunks).number == number
        sink.write(blocks[-1])
        assert next(chunks, None) is None


def test_a_chunk_reaches_the_listener_as_soon_as_it_is_written() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        writer = Writer(sink, header(None, layout=SMALL))
        reader = Reader(source)
        chunks = iter(reader)
        for number in range(3):
            writer.write_chunk(CHUNK)
            assert next(chunks).number == number
        writer.finish(12 * 640)
        assert next(chunks, None) is None
        assert reader.end is not None and reader.end.samples == 12 * 640


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100])
def test_files_that_give_and_take_less_than_asked_hold_the_same(piece: int) -> None:
    class Slow(Pipe):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, piece))

        def write(self, data: object) -> int:
            return super().write(memoryview(data)[:piece])  # type: ignore[arg-type]

    written = content(header(5_000, layout=SMALL, globals_=Globals(2, 5)))
    data = written.write(Slow())
    assert data == written.write(BytesIO())
    written.assert_in(list(Reader(Slow(data))))


def test_a_reader_takes_no_byte_more_than_its_stream() -> None:
    data = stream(header(5_000))
    source = BytesIO(data + b"what follows")
    assert len(list(Reader(source))) == 1
    assert source.read() == b"what follows"


def test_the_length_is_filled_in_if_the_file_is_seekable() -> None:
    written = content(header(None, layout=SMALL), 6_000)
    file = BytesIO(b"before")
    file.seek(6)
    data = written.write(file)[6:]
    assert Reader(BytesIO(data)).header.samples == 6_000
    written.assert_in(list(Reader(BytesIO(data))))
    assert file.tell() == 6 + len(data)


def test_an_unfinished_stream_says_that_its_length_is_unknown() -> None:
    file = BytesIO()
    Writer(file, header(None, layout=SMALL)).write_chunk(CHUNK)
    assert Reader(BytesIO(file.getvalue())).header.samples is None


@pytest.mark.parametrize("mode, samples", [("wb", 4 * 640), ("ab", None)], ids=["written", "appended to"])
def test_a_file_opened_for_appending_is_not_patched_at_its_end(
    tmp_path: Path, mode: str, samples: int | None
) -> None:
    path = tmp_path / "clip.mlc"
    first = stream(header(0)) if mode == "ab" else b""
    path.write_bytes(first)
    with open(path, mode) as file:
        writer = Writer(cast(BinaryIO, file), header(None, layout=SMALL))
        writer.write_chunk(CHUNK)
        writer.finish(4 * 640)
    last = list(read_streams(BytesIO(path.read_bytes())))[-1]
    assert last.header.samples == samples
    assert last.end is not None and last.end.samples == 4 * 640


def test_filling_in_the_length_leaves_every_block_as_it_was() -> None:
    written = content(header(None, layout=SMALL), 6_000)
    assert blocks_of(written.write(BytesIO()))[1:] == blocks_of(written.write(Pipe()))[1:]
