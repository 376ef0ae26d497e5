"""The hand-written reader reads what construct's description says, header by header and block by block."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlcfile import Globals, Header, Layout, Reader
from mlcfile.blocks import Block
from mlcfile.description import (
    BLOCK_CHECKSUM,
    BLOCK_HEAD,
    EXPLICIT_RATE,
    FIELDS,
    FLAGS,
    HEADER_CHECKSUM,
    LENGTH,
    MUST_ALL_CHANNELS,
    NIBBLE_BITS,
    START,
)
from mlcfile.header_bytes import MAGIC, RATES_HZ, pack_header, read_header
from mlcfile.layout import KINDS, SCOPES
from mlcfile.source import Source

from tests.formats.streams import NOT_LIVE

LAYOUTS = st.builds(
    Layout,
    index_bits=st.integers(1, 16),
    rows=st.integers(1, 32),
    kind=st.sampled_from(KINDS),
    model_rate_hz=st.integers(4_000, 384_000),
    frame_samples=st.integers(1, 1 << 20),
    chunk_frames=st.integers(1, 1000),
)
HEADERS = st.builds(
    Header,
    bitstream_id=st.binary(min_size=4, max_size=4),
    renderer_id=st.binary(min_size=2, max_size=2),
    rate_hz=st.integers(4_000, 384_000) | st.sampled_from(RATES_HZ),
    channels=st.integers(1, 8),
    samples=st.none() | st.integers(0, 1 << 20),
    all_channels=st.booleans(),
    layout=LAYOUTS | st.just(Layout()),
    globals_=st.none() | st.builds(Globals, st.integers(1, 64), st.integers(1, 16), st.sampled_from(SCOPES)),
    tables_id=st.none() | st.binary(min_size=4, max_size=4),
)


def described(data: bytes) -> Header:
    """The header as construct parses it."""
    stream = BytesIO(data)
    start = START.parse_stream(stream)
    assert start.magic == MAGIC
    flags = FLAGS.parse_stream(stream)
    must = flags.nibbles.must | (flags.more_must or 0) << NIBBLE_BITS
    fields = FIELDS.parse_stream(stream, must=must)
    length = LENGTH.parse_stream(stream)
    assert HEADER_CHECKSUM.parse_stream(stream) == crc32(data[: stream.tell() - 2]) & 0xFFFF
    assert stream.tell() == len(data)
    code, layout, globals_ = fields.sound.rate_code, fields.layout, fields.globals_
    return Header(
        bitstream_id=fields.bitstream_id,
        renderer_id=fields.renderer_id,
        rate_hz=fields.rate_hz if code == EXPLICIT_RATE else RATES_HZ[code - 1],
        channels=fields.sound.channels_less_1 + 1,
        samples=length - 1 if length else None,
        all_channels=bool(must & MUST_ALL_CHANNELS),
        layout=Layout(
            layout.index_bits, layout.rows, KINDS[layout.kind],
            layout.model_rate_hz, layout.frame_samples, layout.chunk_frames,
        ) if layout else Layout(),
        globals_=Globals(
            globals_.count, globals_.width.bits, SCOPES[globals_.width.stream_scope]
        ) if globals_ else None,
        tables_id=fields.tables_id,
    )  # fmt: skip


@given(HEADERS, st.booleans())
def test_a_header_is_read_as_it_is_described(header: Header, patchable: bool) -> None:
    data = pack_header(header, patchable).data
    found, _ = read_header(Source(BytesIO(data)))
    assert found == described(data) == header


@pytest.mark.parametrize("path", NOT_LIVE, ids=lambda path: path.stem)
def test_blocks_are_read_as_they_are_described(path: Path) -> None:
    with path.open("rb") as file:
        blocks: list[Block] = list(Reader(file).blocks())
    assert blocks
    for block in blocks:
        stream = BytesIO(block.data)
        head = BLOCK_HEAD.parse_stream(stream)
        assert (head.type, stream.read(head.size)) == (block.type, block.body)
        BLOCK_CHECKSUM.parse_stream(stream)  # whose seed is the reader's business
        assert stream.tell() == len(block.data)
