"""What a file claims is checked before anything is allocated for it."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from mlcfile import Globals, Header, Layout, MlcError, Reader, Writer, read_streams
from mlcfile.description import pack_varint
from mlcfile.header_bytes import pack_header
from mlcfile.layout import MAX_BODY_BYTES

from .streams import SMALL, Pipe, header, stream

CHUNK = np.zeros((1, 4, 1), int)


def peak_bytes(data: bytes, conceal: bool) -> int:
    tracemalloc.start()
    try:
        for reader in read_streams(BytesIO(data), conceal):
            for _ in reader:
                pass
    except MlcError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("conceal", [False, True], ids=["strict", "concealing"])
def test_a_claim_of_2_to_the_40_samples_allocates_nothing(conceal: bool) -> None:
    claim = pack_header(header(1 << 40)).data
    peak_bytes(claim, conceal)  # what is allocated once, on first use, does not count
    assert peak_bytes(claim, conceal) < 50_000
    assert peak_bytes(claim + b"\x01\xf2\x04", conceal) < 50_000


class Asked(BytesIO):
    """Records the largest number of bytes asked for at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None and size >= 0
        self.most = max(self.most, size)
        return super().read(size)


@pytest.mark.parametrize(
    "type_, limit", [(0x01, 6), (0x00, 14), (0x82, MAX_BODY_BYTES), (0x55, MAX_BODY_BYTES)]
)
@pytest.mark.parametrize("conceal", [False, True], ids=["strict", "concealing"])
def test_no_more_is_asked_for_than_a_block_can_hold(type_: int, limit: int, conceal: bool) -> None:
    for size in (limit, limit + 1, (1 << 49) - 1):
        file = Asked(
            pack_header(header(10 * 640, layout=SMALL)).data + bytes([type_]) + pack_varint(size) + b"abc"
        )
        with suppress(MlcError):
            list(Reader(file, conceal))
        assert file.most <= limit + 15  # framing, which a search asks for with the body


def test_the_largest_chunk_is_decoded_in_bounded_memory() -> None:
    of = header(None, channels=8, all_channels=True, layout=Layout(16, 32, chunk_frames=2_047))
    file = Pipe()
    writer = Writer(file, of)
    writer.write_chunk(np.zeros((8, 2_047, 32), np.uint16))
    writer.finish(2_047 * 640)
    assert peak_bytes(file.getvalue(), conceal=False) < 20 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    "fields",
    [
        {"bitstream_id": b"abc"},
        {"renderer_id": "ab"},
        {"rate_hz": 3_999},
        {"rate_hz": 384_001},
        {"rate_hz": 16_000.0},
        {"channels": 0},
        {"channels": 9},
        {"samples": -1},
        {"samples": 1 << 48},
        {"samples": True},
    ],
    ids=str,
)
def test_a_header_refuses_nonsense_and_names_it(fields: dict[str, Any]) -> None:
    sound: dict[str, Any] = {
        "bitstream_id": b"bits",
        "renderer_id": b"rd",
        "rate_hz": 16_000,
        "channels": 1,
        "samples": 0,
    }
    with pytest.raises(ValueError, match=next(iter(fields))):
        Header(**(sound | fields))


@pytest.mark.parametrize(
    "field, value",
    [
        ("index_bits", 0),
        ("index_bits", 17),
        ("rows", 0),
        ("rows", 33),
        ("kind", "rows"),
        ("model_rate_hz", 3_999),
        ("model_rate_hz", 384_001),
        ("frame_samples", 0),
        ("frame_samples", (1 << 20) + 1),
        ("chunk_frames", 0),
        ("chunk_frames", (1 << 16) + 1),
    ],
)
def test_a_layout_refuses_nonsense_and_names_it(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        Layout(**{field: value})


@pytest.mark.parametrize(
    "count, bits, scope",
    [(0, 3, "chunk"), (65, 3, "chunk"), (1, 0, "chunk"), (1, 17, "chunk"), (1, 1, "file")],
)
def test_globals_refuse_nonsense(count: int, bits: int, scope: str) -> None:
    with pytest.raises(ValueError, match="globals"):
        Globals(count, bits, scope)


def test_a_header_whose_chunks_would_be_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="a chunk of 1048577 bytes"):
        header(None, channels=8, all_channels=True, layout=Layout(16, 32, chunk_frames=2_048))


@pytest.mark.parametrize(
    "indices, message",
    [
        (np.zeros((1, 0, 1), int), "0 frames"),
        (np.zeros((1, 5, 1), int), "5 frames"),
        (np.zeros((2, 4, 1), int), "shape"),
        (np.zeros((1, 4, 2), int), "shape"),
        (np.zeros((4,), int), "shape"),
        (np.zeros((1, 4, 1)), "integers"),
        (np.full((1, 4, 1), 1_024), "10 bits"),
        (np.full((1, 4, 1), -1), "10 bits"),
    ],
    ids=["no frame", "too many frames", "channels", "rows", "flat", "floats", "too large", "negative"],
)
def test_the_writer_refuses_indices_that_do_not_fit_its_header(indices: object, message: str) -> None:
    file = BytesIO()
    writer = Writer(file, header(None, layout=SMALL))
    size = len(file.getvalue())
    with pytest.raises(ValueError, match=message):
        writer.write_chunk(indices)  # type: ignore[arg-type]
    assert len(file.getvalue()) == size


def test_the_writer_refuses_a_chunk_after_one_that_is_not_full() -> None:
    writer = Writer(BytesIO(), header(None, layout=SMALL))
    writer.write_chunk(CHUNK[:, :3])
    with pytest.raises(ValueError, match="must be the last"):
        writer.write_chunk(CHUNK)


def test_the_writer_refuses_more_frames_than_the_length_makes() -> None:
    writer = Writer(BytesIO(), header(5 * 640, layout=SMALL))
    writer.write_chunk(CHUNK)
    with pytest.raises(ValueError, match="more frames than the 5"):
        writer.write_chunk(CHUNK)


@pytest.mark.parametrize(
    "known, samples, message",
    [
        (None, None, "the length is None"),
        (None, 5 * 640, "make 5 frames, not 4"),
        (None, 3 * 640, "make 3 frames, not 4"),
        (4 * 640, 4 * 640 - 1, "but 2560 in the header"),
        (5 * 640, None, "make 5 frames, not 4"),
    ],
    ids=["not told", "too long", "too short", "not the header's", "chunks missing"],
)
def test_the_writer_refuses_to_finish_with_a_wrong_length(
    known: int | None, samples: int | None, message: str
) -> None:
    writer = Writer(BytesIO(), header(known, layout=SMALL))
    writer.write_chunk(CHUNK)
    with pytest.raises(ValueError, match=message):
        writer.finish(samples)


def test_the_writer_takes_global_indices_only_where_the_header_has_them() -> None:
    with pytest.raises(ValueError, match="belong to a chunk"):
        Writer(BytesIO(), header(None, layout=SMALL)).write_chunk(CHUNK, [[1]])
    with pytest.raises(ValueError, match="belong to a chunk"):
        Writer(BytesIO(), header(None, layout=SMALL, globals_=Globals(1, 3))).write_chunk(CHUNK)
    with pytest.raises(ValueError, match="of stream scope"):
        Writer(BytesIO(), header(None, globals_=Globals(1, 3))).write_globals([[1]])
    writer = Writer(BytesIO(), header(None, layout=SMALL, globals_=Globals(1, 3, "stream")))
    with pytest.raises(ValueError, match="no GLOBAL block"):
        writer.write_chunk(CHUNK)
    with pytest.raises(ValueError, match="3 bits"):
        writer.write_globals([[8]])
    writer.write_globals([[7]])
    with pytest.raises(ValueError, match="two GLOBAL blocks"):
        writer.write_globals([[7]])
    with pytest.raises(ValueError, match="belong to a chunk"):
        writer.write_chunk(CHUNK, [[7]])


@pytest.mark.parametrize("type_", [0x00, 0x01, 0x7F, 0x8D, 0x100], ids=hex)
def test_the_writer_refuses_ancillary_blocks_of_other_types(type_: int) -> None:
    with pytest.raises(ValueError, match="not the type of an ancillary block"):
        Writer(BytesIO(), header(0)).write_ancillary(type_, b"")


def test_the_writer_refuses_an_ancillary_block_over_the_limit() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        Writer(BytesIO(), header(0)).write_padding(MAX_BODY_BYTES + 1)


@pytest.mark.parametrize(
    "key", ["", "A=B", "tilde~", "ü", "tab\t"], ids=["empty", "equals", "tilde", "umlaut", "tab"]
)
def test_the_writer_refuses_invalid_tag_names(key: str) -> None:
    with pytest.raises(ValueError, match="tag name"):
        Writer(BytesIO(), header(0)).write_tags({key: "value"})


def test_nothing_is_written_after_the_end() -> None:
    file = BytesIO()
    writer = Writer(file, header(0))
    writer.finish()
    for write in (lambda: writer.write_tags({}), lambda: writer.write_chunk(CHUNK), writer.finish):
        with pytest.raises(ValueError):
            write()
    assert file.getvalue() == stream(header(0))


def test_a_writer_left_by_an_exception_leaves_a_truncated_stream() -> None:
    file = BytesIO()
    with pytest.raises(KeyboardInterrupt), Writer(file, header(0)):
        raise KeyboardInterrupt
    assert file.getvalue() == pack_header(header(0)).data
