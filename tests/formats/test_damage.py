"""All damage is reported, and only with the format's own errors."""

from __future__ import annotations

from io import BytesIO

import pytest
from mlcfile import CorruptError, Globals, MlcError, NotMlcError, TruncatedError, read_streams
from mlcfile.blocks import CODES, TAGS, pack_block
from mlcfile.tags import pack_tags

from .streams import SMALL, blocks_of, header, read_all, stream

LONG = stream(header(2 * 320_000 + 60_000))
SHORT = stream(header(10 * 640, layout=SMALL, channels=2, all_channels=True, globals_=Globals(3, 4)))


def with_tags(data: bytes) -> bytes:
    head, *blocks = blocks_of(data)
    reader = next(read_streams(BytesIO(data)))
    tags = pack_block(TAGS, pack_tags({"TITLE": "a clip"}), 0, reader.header_bytes.seed)
    return b"".join([head, tags, *blocks])


STREAM_SCOPE = stream(header(10 * 640, layout=SMALL, globals_=Globals(3, 4, "stream")))
PIPED = stream(header(None, layout=SMALL), 10 * 640)
FILES = {"short": SHORT, "tagged": with_tags(SHORT), "globals of stream": STREAM_SCOPE, "piped": PIPED}
files = pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())


def flips(data: bytes) -> list[bytes]:
    """The data with each of its bits flipped, from the first one on."""
    whole = int.from_bytes(data, "big")
    return [(whole ^ 1 << bit).to_bytes(len(data), "big") for bit in reversed(range(8 * len(data)))]


def test_every_flipped_bit_of_three_full_sized_chunks_is_reported() -> None:
    assert len(read_all(LONG)[0]) == 3
    for damaged in flips(LONG):
        with pytest.raises(MlcError):
            read_all(damaged)


@files
def test_every_flipped_bit_of_small_streams_is_reported(data: bytes) -> None:
    for damaged in flips(data):
        with pytest.raises(MlcError):
            read_all(damaged)


@files
def test_every_flipped_bit_past_the_header_is_found_and_costs_one_chunk_at_most(data: bytes) -> None:
    whole = read_all(data)[0]
    header_bits = 8 * len(blocks_of(data)[0])
    for damaged in flips(data)[header_bits:]:
        reader = next(read_streams(BytesIO(damaged), conceal=True))
        got = {chunk.number: chunk.indices.tolist() for chunk in reader}
        lost = {number for each in reader.lost for number in each}
        assert reader.damage
        assert set(got) | lost == {0, 1, 2} and not set(got) & lost and len(lost) <= 1
        assert all(got[chunk.number] == chunk.indices.tolist() for chunk in whole if chunk.number in got)


@files
def test_every_truncation_is_reported_and_whole_chunks_are_read_before(data: bytes) -> None:
    pieces = blocks_of(data)
    for size in range(len(data)):
        chunks = 0
        with pytest.raises(TruncatedError if size else NotMlcError):
            for reader in read_streams(BytesIO(data[:size])):
                for _ in reader:
                    chunks += 1
        ends = [sum(len(piece) for piece in pieces[: i + 1]) for i, piece in enumerate(pieces)]
        complete = sum(piece[0] == CODES and end <= size for piece, end in zip(pieces, ends, strict=True))
        assert chunks == complete


def test_every_truncation_of_three_full_sized_chunks_is_reported() -> None:
    for size in range(1, len(LONG)):
        with pytest.raises(TruncatedError):
            read_all(LONG[:size])


@files
def test_conceal_says_what_a_truncated_file_lacks(data: bytes) -> None:
    start = len(blocks_of(data)[0])
    for size in range(start, len(data)):
        reader = next(read_streams(BytesIO(data[:size]), conceal=True))
        got = [chunk.number for chunk in reader]
        lost = [number for each in reader.lost for number in each]
        assert isinstance(reader.damage[-1], TruncatedError)
        assert reader.end is None
        if reader.header.samples is not None:
            assert got + lost == [0, 1, 2]
        else:
            assert not lost


def order(*places: int) -> bytes:
    """The short stream's header, these of its chunks, and its END."""
    head, *chunks, end = blocks_of(SHORT)
    return b"".join([head, *(chunks[place] for place in places), end])


@pytest.mark.parametrize("places", [(1, 0, 2), (0, 2, 1), (2, 1, 0)], ids=["first", "last", "outer"])
def test_swapped_chunks_are_reported(places: tuple[int, ...]) -> None:
    with pytest.raises(CorruptError, match="checksum"):
        read_all(order(*places))


@pytest.mark.parametrize(
    "places", [(0, 0, 1, 2), (0, 1, 1, 2), (0, 0, 2)], ids=["first", "middle", "in place"]
)
def test_a_duplicated_chunk_is_reported(places: tuple[int, ...]) -> None:
    with pytest.raises(CorruptError, match="checksum"):
        read_all(order(*places))


@pytest.mark.parametrize("places", [(1, 2), (0, 2), (0, 1), ()], ids=["first", "middle", "last", "all"])
def test_a_missing_chunk_is_reported_and_conceal_knows_which(places: tuple[int, ...]) -> None:
    with pytest.raises(CorruptError):
        read_all(order(*places))
    reader = next(read_streams(BytesIO(order(*places)), conceal=True))
    assert tuple(chunk.number for chunk in reader) == places
    assert {number for lost in reader.lost for number in lost} == {0, 1, 2} - set(places)
    assert reader.end is not None and not reader.end.verified


@pytest.mark.parametrize(
    "other",
    [{"bitstream_id": b"othr"}, {"renderer_id": b"ot"}, {"rate_hz": 8_000}, {"channels": 3}],
    ids=["bitstream", "renderer", "rate", "channels"],
)
def test_a_chunk_of_a_stream_with_another_header_is_reported_at_once(other: dict[str, object]) -> None:
    ours, theirs = (blocks_of(stream(header(20 * 640, **fields))) for fields in ({}, other))
    with pytest.raises(CorruptError, match="checksum of a CODES block"):
        read_all(ours[0] + theirs[1] + ours[2])


def test_a_chunk_of_a_stream_with_the_same_header_is_reported_at_the_end() -> None:
    ours, theirs = (blocks_of(stream(header(12 * 640, layout=SMALL), seed=seed)) for seed in (1, 2))
    with pytest.raises(CorruptError, match="digest"):
        read_all(b"".join([*ours[:2], theirs[2], *ours[3:]]))


def test_conceal_recovers_all_but_the_damaged_chunk_of_many() -> None:
    data = stream(header(9 * 320_000 + 5))
    pieces = blocks_of(data)
    for number in range(10):
        damaged = [*pieces[: number + 1], bytes(len(pieces[number + 1])), *pieces[number + 2 :]]
        reader = next(read_streams(BytesIO(b"".join(damaged)), conceal=True))
        assert [chunk.number for chunk in reader] == [n for n in range(10) if n != number]
        assert reader.lost == [range(number, number + 1)]
        assert (reader.damage[0].chunk, reader.damage[0].start_s) == (number, 20.0 * number)


@pytest.mark.parametrize("noise", [b"", b"\x01", b"\x00" * 30, b"\x01\x06" * 20, b"\x8dML" * 9], ids=repr)
def test_conceal_finds_the_next_chunk_after_inserted_or_removed_bytes(noise: bytes) -> None:
    head, first, second, third, end = blocks_of(SHORT)
    reader = next(read_streams(BytesIO(b"".join([head, first, second[:7], noise, third, end])), conceal=True))
    assert [chunk.number for chunk in reader] == [0, 2]
    assert reader.lost == [range(1, 2)]
    assert reader.end is not None


def test_conceal_goes_on_with_the_stream_after_a_truncated_one() -> None:
    data = SHORT[:-20] + STREAM_SCOPE
    streams = [
        (reader, [chunk.number for chunk in reader]) for reader in read_streams(BytesIO(data), conceal=True)
    ]
    assert [numbers for _, numbers in streams] == [[0, 1], [0, 1, 2]]
    assert streams[0][0].lost == [range(2, 3)]
    assert not streams[1][0].damage


def test_a_lost_global_block_leaves_the_indices_readable() -> None:
    head, globals_, *rest = blocks_of(STREAM_SCOPE)
    reader = next(read_streams(BytesIO(b"".join([head, bytes(len(globals_)), *rest])), conceal=True))
    first, *others = reader
    assert first.globals_ is None
    assert all(chunk.globals_ is not None for chunk in others)
    assert reader.damage and not reader.lost


def test_conceal_finds_the_stream_after_rubbish() -> None:
    data = SHORT + b"rubbish" + blocks_of(SHORT)[0][:-1] + STREAM_SCOPE + b"\x8dM"
    first, second = ((reader, list(reader)) for reader in read_streams(BytesIO(data), conceal=True))
    assert [len(chunks) for _, chunks in (first, second)] == [3, 3]
    assert [[error.offset for error in reader.damage] for reader, _ in (first, second)] == [
        [len(SHORT)],
        [len(data) - 2],
    ]
