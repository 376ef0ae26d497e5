"""Live streams: what they cost, that a packet is passed on when its last byte is there, and the way after damage."""

from __future__ import annotations

from binascii import crc_hqx
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlcfile import (
    CorruptError,
    Header,
    Layout,
    Packer,
    Piece,
    Reader,
    TruncatedError,
    Unpacker,
    Writer,
)
from numpy.typing import NDArray

from .streams import GOOD, NOT_LIVE, header

CHUNK_FRAMES = 42  # half a second of frames of 12 ms
LIVE = sorted(set(GOOD) - set(NOT_LIVE))


def live_header(rows: int = 6, packet_frames: int = 1, **more: int) -> Header:
    layout = Layout(12, rows, "stages", 24_000, 288, CHUNK_FRAMES)
    return header(None, rate_hz=24_000, layout=layout, packet_frames=packet_frames, **more)


def indices(of: Header, frames: int) -> NDArray[np.int64]:
    shape = (of.coded_channels, frames, of.layout.rows)
    return np.random.default_rng(3).integers(0, 1 << of.layout.index_bits, shape)


def packets(of: Header, frames: int) -> list[bytes]:
    """The header, then what each packet adds."""
    packer, values = Packer(of), indices(of, frames)
    step = packer.packet_frames
    return [
        packer.header_bytes,
        *(packer.pack(values[:, at : at + step]) for at in range(0, frames, step)),
    ]


def unpacker(of: Header, data: bytes) -> tuple[Unpacker, bytes]:
    """An unpacker, and what it is to be fed."""
    source = BytesIO(data)
    reader = Reader(source)
    assert reader.header == of
    return Unpacker(reader.header, reader.header_bytes), source.read()


def heard(of: Header, data: bytes) -> tuple[list[Piece], Unpacker]:
    unpack, body = unpacker(of, data)
    pieces = unpack.feed(body)
    unpack.finish()
    return pieces, unpack


def frames_of(pieces: list[Piece], of: Header) -> NDArray[np.int64]:
    """Frame by frame, -1 for what was lost."""
    lost = [np.full((of.coded_channels, piece.frames, of.layout.rows), -1) for piece in pieces]
    found = [
        gap if piece.indices is None else piece.indices.astype(int)
        for gap, piece in zip(lost, pieces, strict=True)
    ]
    return np.concatenate(found, 1)


@pytest.mark.parametrize(
    ("rows", "packet_frames", "most_percent"),
    [(6, 1, 5), (1, 1, 40), (1, 2, 15)],
    ids=["6 kbit/s", "1 kbit/s", "1 kbit/s in pairs"],
)
def test_overhead_of_a_minute_is_within_what_is_promised(
    rows: int, packet_frames: int, most_percent: float
) -> None:
    of, frames = live_header(rows, packet_frames), 5000
    total = sum(len(packet) for packet in packets(of, frames))
    percent = 100 * (8 * total / (frames * of.frame_bits) - 1)
    assert most_percent / 8 < percent <= most_percent


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 16),
    st.integers(1, 6),
    st.sampled_from([1, 2, 3]),
    st.integers(0, 60),
    st.integers(1, 50),
    st.integers(1, 3),
)
def test_whatever_is_packed_is_unpacked_however_it_is_cut(
    bits: int, rows: int, packet_frames: int, count: int, cut: int, channels: int
) -> None:
    layout = Layout(bits, rows, chunk_frames=6)
    of = header(None, channels=channels, all_channels=True, layout=layout, packet_frames=packet_frames)
    frames = count * packet_frames
    unpack, body = unpacker(of, b"".join(packets(of, frames)))
    pieces = [piece for at in range(0, len(body), cut) for piece in unpack.feed(body[at : at + cut])]
    unpack.finish()
    assert not unpack.damage and unpack.frames == frames
    if pieces:
        assert np.array_equal(frames_of(pieces, of), indices(of, frames))


@pytest.mark.parametrize("packet_frames", [1, 2])
def test_a_packet_is_passed_on_with_its_last_byte(packet_frames: int) -> None:
    of = live_header(1, packet_frames)
    unpack = unpacker(of, packets(of, 0)[0])[0]
    for packet in packets(of, 100)[1:]:
        own = packet[: of.packet_bytes]
        assert unpack.wanted == len(own)
        assert unpack.feed(own[:-1]) == [] and unpack.wanted == 1
        assert len(unpack.feed(own[-1:])) == 1
        assert unpack.feed(packet[len(own) :]) == []  # the check of a chunk, if it was its last


def test_a_flipped_bit_costs_no_frame_that_can_still_be_unpacked() -> None:
    of = live_header(6)
    parts = packets(of, 200)
    data = bytearray(b"".join(parts))
    data[len(parts[0]) + 50] ^= 16
    pieces, unpack = heard(of, bytes(data))
    different = (frames_of(pieces, of) != indices(of, 200)).any((0, 2))
    assert np.flatnonzero(different).tolist() == [5]
    assert [(error.chunk, error.start_s) for error in unpack.damage] == [(0, 0.0)]


def test_a_packet_with_something_in_its_filling_is_lost() -> None:
    of = live_header(1)
    parts = packets(of, 100)
    data = bytearray(b"".join(parts))
    data[len(parts[0]) + 7] |= 1
    pieces, _ = heard(of, bytes(data))
    assert [at for at, piece in enumerate(pieces) if piece.indices is None] == [3]


@pytest.mark.parametrize("packet_frames", [1, 2], ids=["frames", "pairs"])
@pytest.mark.parametrize("rows", [1, 6], ids=["1 kbit/s", "6 kbit/s"])
@pytest.mark.parametrize("lost", [1, 20, 400, 2000], ids=lambda lost: f"{lost} bytes")
def test_after_a_loss_the_stream_is_found_again_in_its_place(
    rows: int, packet_frames: int, lost: int
) -> None:
    of, frames = live_header(rows, packet_frames), 60 * CHUNK_FRAMES
    data = b"".join(packets(of, frames))
    at = len(data) // 4
    pieces, unpack = heard(of, data[:at] + data[at + lost :])
    found = frames_of(pieces, of)
    assert found.shape[1] == unpack.frames == frames
    same = (found == indices(of, frames)).all((0, 2))
    chunk_bytes = of.live_chunk_bytes + 3
    gone = (lost // chunk_bytes + 3) * CHUNK_FRAMES
    assert same[: frames // 4 - CHUNK_FRAMES].all() and same[frames // 4 + gone :].all()
    assert unpack.damage and unpack.damage[0].start_s == pytest.approx(frames // 4 * 0.012, abs=1.1)


def test_whole_chunks_that_are_missing_or_come_twice_put_nothing_out_of_step() -> None:
    of = live_header(6)
    parts = packets(of, 6 * CHUNK_FRAMES)
    chunks = [
        b"".join(parts[1 + at : 1 + at + CHUNK_FRAMES]) for at in range(0, 6 * CHUNK_FRAMES, CHUNK_FRAMES)
    ]
    pieces, unpack = heard(of, parts[0] + chunks[0] + b"".join(chunks[3:]))
    assert unpack.frames == 6 * CHUNK_FRAMES
    assert [str(error) for error in unpack.damage] == ["2 live chunks are missing (chunk 1, from 0.50 s)"]
    twice, again = heard(of, parts[0] + b"".join([*chunks[:3], *chunks[2:]]))
    assert again.frames == 7 * CHUNK_FRAMES and all(piece.indices is not None for piece in twice)
    assert np.array_equal(frames_of(twice, of)[:, -CHUNK_FRAMES:], indices(of, 6 * CHUNK_FRAMES)[:, -42:])


def test_rubbish_is_never_a_crash_and_never_longer_than_it_may_claim() -> None:
    of = live_header(1)
    random, head = np.random.default_rng(8), packets(of, 0)[0]
    for _ in range(30):
        unpack, _ = unpacker(of, head)
        rubbish = random.bytes(int(random.integers(1, 3000)))
        for at in range(0, len(rubbish), 61):
            unpack.feed(rubbish[at : at + 61])
            assert unpack.wanted >= 1
        assert unpack.frames <= len(rubbish) // 2 + 128 * CHUNK_FRAMES
        assert len(rubbish) < 90 or unpack.damage


@pytest.mark.parametrize(("cut", "what"), [(1, "packet"), (42 * 9 + 2, "check")])
def test_an_end_within_a_packet_or_check_is_noted(cut: int, what: str) -> None:
    of = live_header(6)
    parts = packets(of, 50)
    _, unpack = heard(of, b"".join(parts)[: len(parts[0]) + cut])
    assert [type(error) for error in unpack.damage] == [TruncatedError]
    assert f"ends within a {what}" in str(unpack.damage[0])


def test_a_reader_finds_the_intact_chunks_of_a_damaged_file() -> None:
    of = live_header(6)
    data = b"".join(packets(of, 5 * CHUNK_FRAMES + 7))
    at = len(data) // 2
    broken = data[:at] + data[at + 5 :]
    with pytest.raises(CorruptError, match="the check of a live chunk does not match"):
        list(Reader(BytesIO(broken)))
    reader = Reader(BytesIO(broken), conceal=True)
    chunks = list(reader)
    assert [chunk.number for chunk in chunks] == [0, 1, 3, 4, 5]
    assert reader.lost == [range(2, 3)]
    for chunk in chunks:
        own = indices(of, 5 * CHUNK_FRAMES + 7)[:, chunk.first_frame :][:, : chunk.frames]
        assert np.array_equal(chunk.indices, own)


def test_every_cut_of_a_live_file_reads_as_far_as_its_chunks() -> None:
    of = header(None, layout=Layout(12, 1, chunk_frames=4), packet_frames=1)
    parts = packets(of, 10)
    data = b"".join(parts)
    frames = []
    for end in range(len(parts[0]), len(data) + 1):
        reader = Reader(BytesIO(data[:end]), conceal=True)
        frames.append(sum(chunk.frames for chunk in reader))
        assert (reader.end is None) == bool(reader.damage)
    assert all(0 <= after - before <= 1 for before, after in pairwise(frames)) and frames[-1] == 10


def test_the_check_is_the_crc_that_the_specification_names() -> None:
    assert crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    path = next(path for path in LIVE if path.stem == "live-6-kbit")
    reader = Reader(BytesIO(path.read_bytes()))
    block = next(reader.blocks())
    before = reader.header_bytes.data[: reader.header_bytes.length_offset]
    assert int.from_bytes(block.data[-2:], "big") == crc_hqx(before + block.data[:-2], 0xFFFF)


def test_what_a_live_stream_cannot_have_is_refused() -> None:
    of = live_header(6)
    with pytest.raises(ValueError, match="a live stream has no blocks"):
        Writer(BytesIO(), of)
    with pytest.raises(ValueError, match="not seekable, or a live stream"):
        Reader(BytesIO(b"".join(packets(of, 50)))).seek_chunk(0)
    with pytest.raises(ValueError, match="no length"):
        header(100, layout=of.layout, packet_frames=1)
    with pytest.raises(ValueError, match="have shape"):
        Packer(live_header(6, 2)).pack(indices(of, 1))
