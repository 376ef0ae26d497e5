"""A range of chunks is read without reading what lies before it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from mlcfile import CorruptError, Globals, Header, Layout, Reader, TruncatedError, Writer, read_streams

from .streams import SMALL, Pipe, blocks_of, content, header, stream

OF = header(23 * 640, layout=SMALL)  # six chunks, the last of three frames
WRITTEN = content(OF)
DATA = WRITTEN.write(BytesIO())


class Counting(BytesIO):
    """Counts the bytes read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("read_before", [0, 1, 4, 6])
def test_reading_goes_on_at_the_chunk_sought(number: int, read_before: int) -> None:
    reader = Reader(BytesIO(DATA))
    chunks = iter(reader)
    for _ in range(read_before):
        next(chunks)
    reader.seek_chunk(number)
    rest = list(reader)
    assert [chunk.number for chunk in rest] == list(range(number, 6))
    np.testing.assert_array_equal(rest[0].indices, WRITTEN.chunks()[number])
    assert rest[0].first_frame == 4 * number
    assert reader.end is not None and not reader.end.verified


def test_a_seek_reads_the_first_chunk_and_the_one_sought() -> None:
    of = header(200 * 320_000)
    file = Counting(stream(of))
    reader = Reader(file)
    reader.seek_chunk(150)
    assert next(iter(reader)).number == 150
    assert file.count < 3 * of.chunk_bytes + 100


def test_a_seek_in_a_later_stream_stays_in_it() -> None:
    file = BytesIO(b"before" + DATA + DATA + stream(header(1)))
    file.seek(6)
    readers = read_streams(file)
    list(next(readers))
    second = next(readers)
    second.seek_chunk(4)
    assert [chunk.number for chunk in second] == [4, 5]
    assert len(list(next(readers))) == 1


def with_blocks_between(of: Header) -> bytes:
    file = BytesIO()
    with Writer(file, of) as writer:
        for number, indices in enumerate(WRITTEN.chunks()):
            if of.globals_ is not None:
                writer.write_globals([[number]])
            writer.write_tags({"BEFORE": str(number)})
            writer.write_chunk(indices)
    return file.getvalue()


@pytest.mark.parametrize("number", range(6))
def test_blocks_between_chunks_are_walked_over(number: int) -> None:
    of = header(23 * 640, layout=SMALL, globals_=Globals(1, 3, "stream"))
    reader = Reader(BytesIO(with_blocks_between(of)))
    list(reader)
    reader.seek_chunk(number)
    chunk = next(iter(reader))
    assert chunk.number == number
    assert chunk.globals_ is not None and chunk.globals_.tolist() == [[number]]
    list(reader)
    assert reader.tags == [("BEFORE", str(n)) for n in range(6)]


@pytest.mark.parametrize("samples", [23 * 640, None], ids=["known length", "unknown length"])
@pytest.mark.parametrize("number", [-1, 7, 1 << 40])
def test_a_chunk_that_is_not_there_is_refused(samples: int | None, number: int) -> None:
    data = content(header(samples, layout=SMALL), 23 * 640).write(Pipe())
    with pytest.raises(ValueError, match="no chunk"):
        Reader(BytesIO(data)).seek_chunk(number)


@pytest.mark.parametrize("frames", [0, 8])
def test_seeking_the_end_of_a_stream_of_unknown_length_leaves_nothing_to_read(frames: int) -> None:
    reader = Reader(BytesIO(content(header(None, layout=SMALL), frames * 640).write(Pipe())))
    reader.seek_chunk(frames // 4)
    assert list(reader) == []
    assert reader.end is not None and reader.end.frames == frames


def test_a_pipe_is_not_seekable() -> None:
    with pytest.raises(ValueError, match="not seekable"):
        Reader(Pipe(DATA)).seek_chunk(1)


def test_damage_before_the_chunk_sought_does_not_matter() -> None:
    pieces = blocks_of(DATA)
    reader = Reader(BytesIO(b"".join([*pieces[:3], bytes(len(pieces[3])), *pieces[4:]])))
    reader.seek_chunk(4)
    assert [chunk.number for chunk in reader] == [4, 5]


def test_damage_of_the_chunk_sought_is_reported_or_concealed() -> None:
    pieces = blocks_of(DATA)
    damaged = b"".join([*pieces[:3], bytes(len(pieces[3])), *pieces[4:]])
    reader = Reader(BytesIO(damaged))
    reader.seek_chunk(2)
    with pytest.raises(CorruptError) as raised:
        next(iter(reader))
    assert raised.value.chunk == 2
    concealing = Reader(BytesIO(damaged), conceal=True)
    concealing.seek_chunk(2)
    assert [chunk.number for chunk in concealing] == [3, 4, 5]
    assert concealing.lost == [range(2, 3)]


@pytest.mark.parametrize("number", [3, 5])
def test_a_seek_past_a_truncation_is_reported(number: int) -> None:
    reader = Reader(BytesIO(b"".join(blocks_of(DATA)[:4])))
    with pytest.raises(TruncatedError):
        reader.seek_chunk(number)
        list(reader)


def test_seeking_with_wide_layouts_and_global_indices() -> None:
    of = header(
        9 * 100,
        channels=3,
        all_channels=True,
        globals_=Globals(5, 7),
        layout=Layout(13, 6, "column", 16_000, 100, 2),
    )
    written = content(of)
    reader = Reader(BytesIO(written.write(BytesIO())))
    reader.seek_chunk(3)
    first = next(iter(reader))
    np.testing.assert_array_equal(first.indices, written.chunks()[3])
    np.testing.assert_array_equal(first.globals_, written.globals_[3])
