"""Entropy-coded chunks: what is coded comes back, no chunk grows, and damage stays in its chunk."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlcfile import (
    CorruptError,
    Globals,
    Header,
    Layout,
    MlcError,
    NoTablesError,
    Reader,
    Source,
    Tables,
    Writer,
    pack_tables,
    rans,
    read_streams,
    remux,
    unpack_tables,
)
from mlcfile.blocks import CODES, TAGS, pack_block
from mlcfile.entropy import is_coded
from mlcfile.tags import pack_tags

from .streams import (
    TABLES,
    VECTORS,
    Content,
    Pipe,
    blocks_of,
    content,
    expected,
    header,
    read_all,
    stream,
    with_tables,
)

GRID, LINE, FAR = TABLES["grid"], TABLES["line"], TABLES["far"]
PATCHES = Layout(6, 5, "column", 16_000, 512, 40)


def grid_header(chunks: int, **other: Any) -> Header:
    return header(chunks * 40 * 512 - 5, layout=PATCHES, tables_id=GRID.id, **other)


def seeded_tables(
    seed: int, codewords: int, places: list[tuple[int, int]], classes: int, row_classes: int
) -> Tables:
    random = np.random.default_rng(seed)
    sources = tuple(
        Source(*place, random.integers(0, classes, codewords + 1)) for place in dict.fromkeys(places)
    )
    rows = random.integers(0, row_classes, 32)
    counts = [int(source.classes.max()) + 1 for source in sources] + [int(rows.max()) + 1]
    distributions = int(random.integers(1, 5))
    shares = random.dirichlet(np.full(codewords, 0.3), distributions)
    frequencies = np.maximum(1, (shares * (rans.TOTAL - codewords)).astype(int))
    frequencies[:, -1] += rans.TOTAL - frequencies.sum(1)
    return Tables(sources, rows, random.integers(0, distributions, np.prod(counts)), frequencies)


PLACES = [(frames, rows) for frames in (0, 1, 2, 8) for rows in (0, 1, 3, 31) if frames + rows]
tables_like = st.builds(
    seeded_tables,
    st.integers(0, 999),
    st.integers(2, 300),
    st.lists(st.sampled_from(PLACES), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 4),
)
shapes = st.tuples(st.integers(1, 8), st.integers(1, 40), st.integers(1, 32))


@settings(max_examples=50, deadline=None)
@given(tables_like, shapes, st.integers(0, 999), st.booleans())
def test_what_is_coded_comes_back(
    tables: Tables, shape: tuple[int, int, int], seed: int, likely: bool
) -> None:
    random = np.random.default_rng(seed)
    indices = (
        expected(tables, shape, random)
        if likely
        else random.integers(0, tables.codewords, shape).astype(np.uint16)
    )
    coded = rans.encode(tables, indices)
    assert coded is not None
    assert coded.states.min() >= 1 << 16 and coded.states.max() < 1 << 32
    np.testing.assert_array_equal(rans.decode(tables, coded, *shape), indices)


@settings(max_examples=50, deadline=None)
@given(tables_like, shapes, st.integers(0, 999))
def test_lanes_together_decode_as_one_by_one_whatever_the_words(
    tables: Tables, shape: tuple[int, int, int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    steps = rans.Steps(tables, *shape)
    states = random.integers(1 << 16, 1 << 32, steps.lanes)
    for words in (random.integers(0, 1 << 16, 2 * int(np.prod(shape))), random.integers(0, 1 << 16, 3)):
        results: list[Any] = []
        for way in (rans._decode_one_by_one, rans._decode_steps):
            try:
                grid, ends, used = way(steps, rans.Stream(states, words))
                results.append((grid.tolist(), ends, used))
            except CorruptError as error:
                results.append(str(error))
        assert results[0] == results[1]


@pytest.mark.parametrize("few", [0, 1_000], ids=["together", "one by one"])
@pytest.mark.parametrize("rows", [1, 5])
def test_a_stream_that_does_not_end_with_its_last_index_is_refused(
    few: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rans, "FEW_LANES", few)
    shape = (1, 40, rows)
    coded = rans.encode(GRID, expected(GRID, shape, np.random.default_rng(1)))
    assert coded is not None
    for words in (coded.words[:-1], np.append(coded.words, 0), coded.words[:0], coded.words ^ 1):
        with pytest.raises(CorruptError, match="last index"):
            rans.decode(GRID, rans.Stream(coded.states, words), *shape)
    with pytest.raises(CorruptError, match="impossible state"):
        rans.decode(GRID, rans.Stream(coded.states - (1 << 32), coded.words), *shape)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 300), st.integers(1, 8), st.booleans(), st.sampled_from([None, "chunk", "stream"]), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
def test_streams_come_back(
    frames: int, channels: int, all_channels: bool, scope: str | None, known: bool, seed: int
) -> None:
    globals_ = Globals(3, 5, scope) if scope else None
    of = header(
        frames * 512 if known else None, channels=channels, all_channels=all_channels, layout=PATCHES,
        globals_=globals_, tables_id=GRID.id,
    )  # fmt: skip
    written = content(of, frames * 512, seed, GRID)
    reader = with_tables(Reader(BytesIO(written.write(Pipe()))))
    written.assert_in(list(reader))
    assert reader.header == of
    assert reader.end is not None and reader.end.verified


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100), st.integers(0, 99), st.integers(0, 100))
def test_no_chunk_grows(frames: int, seed: int, percent_likely: int) -> None:
    """Not even if some indices, or all, are the least likely, or not in the tables at all."""
    plain = header(frames * 512, layout=PATCHES)
    of = header(frames * 512, layout=PATCHES, tables_id=GRID.id)
    random = np.random.default_rng(seed)
    indices = np.where(
        random.integers(0, 100, (1, frames, 5)) < percent_likely,
        expected(GRID, (1, frames, 5), random),
        random.integers(0, 60 + seed % 2 * 4, (1, frames, 5)),
    ).astype(np.uint16)
    coded, raw = (
        Content(head, indices, np.zeros((9, 1, 0), np.uint16), frames * 512, tables).write(BytesIO())
        for head, tables in ((of, GRID), (plain, None))
    )
    sizes = zip(map(len, blocks_of(coded)[1:]), map(len, blocks_of(raw)[1:]), strict=True)
    assert all(mine <= other for mine, other in sizes)
    assert np.concatenate([chunk.indices for chunk in read_all(coded)[0]], 1).tolist() == indices.tolist()


def test_likely_indices_take_fewer_bytes() -> None:
    of = header(2 * 320_000, tables_id=LINE.id)
    assert len(stream(of, tables=LINE)) < 0.97 * len(stream(header(2 * 320_000)))


def test_without_tables_everything_but_the_indices_is_read() -> None:
    data = stream(grid_header(3, globals_=Globals(3, 4)), tables=GRID)
    reader = Reader(BytesIO(data))
    chunks = list(reader)
    assert [(chunk.first_frame, chunk.frames) for chunk in chunks] == [(0, 40), (40, 40), (80, 40)]
    assert all(chunk.globals_ is not None and chunk.codes.index_bits < 40 * 30 for chunk in chunks)
    assert reader.end is not None and reader.end.verified
    with pytest.raises(NoTablesError, match="tables are not at hand"):
        _ = chunks[0].indices
    copy = BytesIO()
    remux(BytesIO(data), copy)
    assert copy.getvalue() == data


def test_other_tables_are_refused() -> None:
    reader = Reader(BytesIO(stream(grid_header(1), tables=GRID)))
    with pytest.raises(ValueError, match=f"needs the tables {GRID.id.hex()}, not {LINE.id.hex()}"):
        reader.use_tables(LINE)
    with pytest.raises(ValueError, match="takes no tables"):
        Reader(BytesIO(stream(header(1)))).use_tables(LINE)
    with pytest.raises(ValueError, match="needs its tables"):
        Writer(BytesIO(), grid_header(1))
    with pytest.raises(ValueError, match="60 codewords, but indices of 5 bits"):
        Writer(BytesIO(), header(None, layout=Layout(5, 5), tables_id=GRID.id), GRID)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("read_before", [0, 1, 6])
@pytest.mark.parametrize("between", [False, True], ids=["chunks alone", "tags between"])
def test_a_seek_finds_chunks_of_any_size(number: int, read_before: int, between: bool) -> None:
    of = grid_header(6)
    written = content(of, tables=GRID)
    data = written.write(BytesIO())
    if between:
        head, *blocks = blocks_of(data)
        tags = pack_block(TAGS, pack_tags({"A": "b"}), 2, Reader(BytesIO(data)).header_bytes.seed)
        data = b"".join([head, *blocks[:2], tags, *blocks[2:]])
    reader = with_tables(Reader(BytesIO(data)))
    chunks = iter(reader)
    for _ in range(read_before):
        next(chunks)
    reader.seek_chunk(number)
    rest = list(reader)
    assert [chunk.number for chunk in rest] == list(range(number, 6))
    np.testing.assert_array_equal(rest[0].indices, written.chunks()[number])


def test_a_seek_reads_only_the_heads_of_the_chunks_between() -> None:
    class Counting(BytesIO):
        count = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.count += len(data)
            return data

    data = stream(header(100 * 320_000, tables_id=LINE.id), tables=LINE)
    file = Counting(data)
    reader = with_tables(Reader(file))
    reader.seek_chunk(90)
    assert next(iter(reader)).number == 90
    assert file.count < 4 * 626 + 90 * 4


@pytest.mark.parametrize("number", [4, 5])
def test_a_seek_past_a_truncation_is_reported(number: int) -> None:
    data = b"".join(blocks_of(stream(grid_header(6), tables=GRID))[:4])
    with pytest.raises(CorruptError):
        reader = with_tables(Reader(BytesIO(data)))
        reader.seek_chunk(number)
        list(reader)


@pytest.mark.parametrize("told", [False, True], ids=["without tables", "with tables"])
def test_every_flipped_bit_costs_one_chunk_at_most(told: bool) -> None:
    data = stream(grid_header(3, globals_=Globals(1, 3)), tables=GRID)
    whole = {chunk.number: chunk.indices.tolist() for chunk in read_all(data)[0]}
    start = len(blocks_of(data)[0])
    for bit in range(8 * start, 8 * len(data), 7):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(MlcError):
            for reader in read_streams(BytesIO(bytes(damaged))):
                list(with_tables(reader) if told else reader)
        reader = next(read_streams(BytesIO(bytes(damaged)), conceal=True))
        got = {chunk.number: chunk for chunk in (with_tables(reader) if told else reader)}
        lost = {number for each in reader.lost for number in each}
        assert set(got) | lost == {0, 1, 2} and not set(got) & lost and len(lost) <= 1
        assert not told or all(chunk.indices.tolist() == whole[number] for number, chunk in got.items())


def test_a_chunk_that_decodes_wrongly_is_lost_alone() -> None:
    data = stream(grid_header(3), tables=GRID)
    head, first, second, *rest = blocks_of(data)
    body = second[2:-4]
    assert is_coded(grid_header(3), body[-1:])
    seed = Reader(BytesIO(data)).header_bytes.seed
    forged = pack_block(CODES, body[:-3] + bytes([body[-3] ^ 1]) + body[-2:], 1, seed)
    broken = b"".join([head, first, forged, *rest])
    reader = with_tables(next(read_streams(BytesIO(broken), conceal=True)))
    assert [chunk.number for chunk in reader] == [0, 2]
    assert reader.lost == [range(1, 2)] and "last index" in str(reader.damage[0])
    with pytest.raises(CorruptError, match=r"last index \(chunk 1"):
        read_all(broken)


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=130), st.sampled_from([b"\x00", b""]), st.integers(0, 2))
def test_hostile_bodies_raise_only_the_formats_errors(body: bytes, last: bytes, kind: int) -> None:
    of = [
        grid_header(3),
        grid_header(3, globals_=Globals(3, 4)),
        header(
            None,
            channels=3,
            all_channels=True,
            layout=Layout(4, 32, "column", chunk_frames=300),
            tables_id=FAR.id,
        ),
    ][kind]
    head = blocks_of(stream(of, 0 if of.samples is None else None, tables=[GRID, GRID, FAR][kind]))[0]
    seed = Reader(BytesIO(head)).header_bytes.seed
    data = head + pack_block(CODES, body + last, 0, seed)
    for conceal in (False, True):
        with suppress(MlcError):
            read_all(data, conceal)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3_000), st.sampled_from(list(TABLES)))
def test_hostile_tables_raise_value_error(noise: bytes, place: int, name: str) -> None:
    sound = pack_tables(TABLES[name])
    for data in (noise, sound[:place], sound[:place] + noise + sound[place + len(noise) :], sound + noise):
        with suppress(ValueError):
            assert pack_tables(unpack_tables(data)) == data


@pytest.mark.parametrize(
    "place, value, message",
    [
        (0, b"\xff\xff\xff\xff", "codewords 4294967295 is outside 2..65536"),
        (0, b"\x00\x00\x00\x01", "codewords 1 is outside"),
        (4, b"\x00", "sources 0 is outside 1..4"),
        (4, b"\x05", "sources 5 is outside 1..4"),
        (5, b"\x09", "frames of a source 9 is outside"),
        (5, b"\x00\x00", "distance of a source 0 is outside"),
        (6, b"\x20", "rows of a source 32 is outside"),
        (7, b"\xff\xff", "contexts .* is outside 1..65536"),
        (-2, b"\x00\x00", "the frequencies of a distribution"),
        (-4, b"\x00\x00", "the frequencies of a distribution"),
    ],
)
def test_tables_over_a_limit_are_refused_by_name(place: int, value: bytes, message: str) -> None:
    data = bytearray(pack_tables(GRID))
    place %= len(data)
    data[place : place + len(value)] = value
    with pytest.raises(ValueError, match=message):
        unpack_tables(bytes(data))


def test_the_module_prints_indices_with_their_tables() -> None:
    tables, file = str(VECTORS / "tables" / "grid.tables"), str(VECTORS / "good" / "entropy-grid.mlc")
    command = [sys.executable, "-m", "mlcfile", "--indices", file]
    done = subprocess.run([*command, "--tables", tables], capture_output=True, text=True, check=True)
    assert '"entropy_coded": true' in done.stdout
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        f"mlcfile: {file}: the stream is entropy coded, and its tables are not at hand\n",
    )
