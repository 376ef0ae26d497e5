"""Files made to keep a reader busy: the work stays in proportion to the file's size."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from random import Random
from zlib import crc32

import pytest
from mlcfile import CorruptError, Globals, Layout, MlcError, read_streams
from mlcfile.blocks import PADDING, TAGS, chunk_with, pack_block
from mlcfile.description import FIELDS, FLAGS, HEADER_CHECKSUM, LENGTH, NIBBLE_BITS, START
from mlcfile.header_bytes import RATES_HZ, pack_header
from mlcfile.source import Source

from .streams import GOOD, SMALL, header, stream

pytestmark = pytest.mark.slow

SIZE = 20_000
# Chunks of up to a megabyte, so that a few bytes can claim one.
LARGE = header(None, channels=8, all_channels=True, layout=Layout(16, 32, chunk_frames=2_047))
CLAIM_300_KB = b"\x01\xa0\xc2\x12"


def filled(head: bytes, pattern: bytes, size: int = SIZE) -> bytes:
    return head + pattern * (size // len(pattern))


STANDARD = pack_header(header(None))
CASES = {
    "tiny chunks": filled(STANDARD.data, b"\x01"),
    "full chunks": filled(STANDARD.data, b"\x01\xf1\x04"),
    "large chunks": filled(pack_header(LARGE).data, CLAIM_300_KB, 400_000),
    "ends": filled(STANDARD.data, b"\x00\x01"),
    "global indices": filled(pack_header(header(None, globals_=Globals(64, 16, "stream"))).data, b"\x02\x80\x01"),
    "unknown blocks": filled(STANDARD.data + b"\x01\x00", b"\x55\xf0\xff\x3f"),
    "magics": filled(STANDARD.data + b"\x01\x00", b"\x8dML\x10\x00"),
    "headers": filled(b"", STANDARD.data),
    "empty streams": filled(b"", stream(header(0))),
    "streams and rubbish": filled(b"", stream(header(0)) + b"x"),
    "padding and claims": filled(
        pack_header(LARGE).data, pack_block(PADDING, b"", 0, pack_header(LARGE).seed) + CLAIM_300_KB, 400_000
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", CASES.values(), ids=CASES)
@pytest.mark.parametrize("conceal", [False, True], ids=["strict", "concealing"])
def test_a_reader_goes_over_a_crafted_file_a_bounded_number_of_times(
    data: bytes, conceal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    vain: dict[int, int] = {}  # by source
    rewind, checksum = Source.rewind, Source.checksum

    def rewound(source: Source) -> None:
        rewind(source)
        vain[id(source)] = source.vain_bytes

    def summed(source: Source, size: int, seed: int) -> int:
        vain[id(source)] = source.vain_bytes + size
        return checksum(source, size, seed)

    monkeypatch.setattr(Source, "rewind", rewound)
    monkeypatch.setattr(Source, "checksum", summed)
    with suppress(MlcError):
        for reader in read_streams(BytesIO(data), conceal):
            for block in reader.blocks():
                assert block.offset < len(data)
            assert all(error.__traceback__ is None for error in reader.damage)
    assert sum(vain.values()) < (65 << 20) + 1024 * len(data)


def test_the_search_gives_up_where_everything_looks_like_a_block() -> None:
    data = filled(pack_header(LARGE).data, CLAIM_300_KB, 400_000)
    (reader,) = read_streams(BytesIO(data), conceal=True)
    assert any("looks like a block" in str(error) for error in reader.damage)


def test_what_follows_a_search_that_gave_up_is_read() -> None:
    data = filled(pack_header(LARGE).data, CLAIM_300_KB, 400_000) + stream(header(0))
    readers = list(read_streams(BytesIO(data), conceal=True))
    assert [reader.end is not None for reader in readers] == [False, True]


def test_invalid_tags_are_skipped_when_damage_is_concealed() -> None:
    head = pack_header(header(4 * 640, layout=SMALL))
    whole = stream(header(4 * 640, layout=SMALL))
    data = head.data + pack_block(TAGS, b"\x09A=", 0, head.seed) + whole[len(head.data) :]
    reader = next(read_streams(BytesIO(data), conceal=True))
    assert len(list(reader)) == 1 and reader.end is not None and not reader.lost
    assert [error.message for error in reader.damage] == ["a tag reaches past its block"]
    with pytest.raises(CorruptError, match="past its block"):
        list(next(read_streams(BytesIO(data))))


def test_a_checksum_reveals_its_chunk_number() -> None:
    random = Random(4)
    for _ in range(100):
        number, before = random.getrandbits(32), random.getrandbits(32)
        assert chunk_with(before, crc32(number.to_bytes(4, "big"), before)) == number


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_headers_are_read_as_they_are_described(path: Path) -> None:
    file = BytesIO(path.read_bytes())
    reader = next(iter(read_streams(file)))
    described = BytesIO(path.read_bytes())
    START.parse_stream(described)
    flags = FLAGS.parse_stream(described)
    must = flags.nibbles.must | (flags.more_must or 0) << NIBBLE_BITS
    fields = FIELDS.parse_stream(described, must=must)
    length = LENGTH.parse_stream(described)
    HEADER_CHECKSUM.parse_stream(described)
    header_ = reader.header
    assert described.tell() == len(reader.header_bytes.data)
    assert (fields.bitstream_id, fields.renderer_id) == (header_.bitstream_id, header_.renderer_id)
    assert (fields.rate_hz or RATES_HZ[fields.sound.rate_code - 1]) == header_.rate_hz
    assert fields.sound.channels_less_1 == header_.channels - 1
    assert length == (0 if header_.samples is None else header_.samples + 1)
    if fields.layout:
        assert fields.layout.chunk_frames == header_.layout.chunk_frames
        assert fields.layout.model_rate_hz == header_.layout.model_rate_hz
    if fields.globals_ and header_.globals_:
        assert fields.globals_.width.bits == header_.globals_.bits
