"""The bytes of headers and blocks, described for construct; `mlc.ksy` describes the same bytes for Kaitai.

Writers build from this description. The reader is written by hand: construct takes 100 us for a header and 30 us for a
block, and a hostile file can begin one at every other byte. A test checks the reader against this description.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from construct import (
    BitsInteger,
    BitStruct,
    Byte,
    Bytes,
    Construct,
    If,
    Int16ub,
    Int32ub,
    Struct,
    stream_read,
    stream_write,
    this,
)

from .errors import CorruptError

MAX_VARINT_BYTES = 7  # 49 bits: what the longest length needs

MUST_LAYOUT, MUST_GLOBALS, MUST_ALL_CHANNELS, MUST_EXTENDED, MUST_ENTROPY, MUST_LIVE = 1, 2, 4, 8, 16, 32
NIBBLE_BITS = 4  # of flags in the flags byte; flags from here on are among the "more flags"
EXPLICIT_RATE = 0  # the rate code for: the rate follows as a varint


def pack_varint(value: int, width_bytes: int = 1) -> bytes:
    """Unsigned LEB128, in the shortest form or stretched to `width_bytes` with groups of zero bits."""
    groups = max(width_bytes, -(-value.bit_length() // 7))
    if value < 0 or groups > MAX_VARINT_BYTES:
        raise ValueError(f"{value} does not fit a varint")
    return bytes((value >> 7 * i & 0x7F) | (0x80 if i < groups - 1 else 0) for i in range(groups))


def read_varint(take: Callable[[int], bytes], stretchable: bool = False) -> int:
    """Reads a varint; `take(n)` must return exactly n bytes or raise."""
    value = 0
    for i in range(MAX_VARINT_BYTES):
        byte = take(1)[0]
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            if byte == 0 and i > 0 and not stretchable:
                raise CorruptError("a number is written in more bytes than it needs")
            return value
    raise CorruptError(f"a number is longer than {MAX_VARINT_BYTES} bytes")


class Varint(Construct):
    """Unsigned LEB128; only a `stretchable` one may be longer than its value needs."""

    def __init__(self, stretchable: bool = False) -> None:
        super().__init__()
        self.stretchable = stretchable

    def _parse(self, stream: Any, context: Any, path: str) -> int:
        return read_varint(lambda size: stream_read(stream, size, path), self.stretchable)

    def _build(self, obj: int, stream: Any, context: Any, path: str) -> int:
        data = pack_varint(obj)
        stream_write(stream, data, len(data), path)
        return obj


START = Struct(
    "magic" / Bytes(3),
    "version" / BitStruct("major" / BitsInteger(4), "minor" / BitsInteger(4)),
)
FLAGS = Struct(
    "nibbles" / BitStruct("must" / BitsInteger(4), "may" / BitsInteger(4)),
    "more_must" / If(this.nibbles.must & MUST_EXTENDED, Varint()),
    "more_may" / If(this.nibbles.must & MUST_EXTENDED, Varint()),
)
LAYOUT = Struct(
    "index_bits" / Byte,
    "rows" / Byte,
    "kind" / Byte,
    "model_rate_hz" / Varint(),
    "frame_samples" / Varint(),
    "chunk_frames" / Varint(),
)
GLOBALS = Struct(
    "count" / Byte,
    "width" / BitStruct("stream_scope" / BitsInteger(1), "bits" / BitsInteger(7)),
)
FIELDS = Struct(  # parsed and built with `must`, all must-understand flags
    "bitstream_id" / Bytes(4),
    "renderer_id" / Bytes(2),
    "sound" / BitStruct("channels_less_1" / BitsInteger(3), "rate_code" / BitsInteger(5)),
    "rate_hz" / If(this.sound.rate_code == EXPLICIT_RATE, Varint()),
    "layout" / If(this._params.must & MUST_LAYOUT, LAYOUT),
    "globals_" / If(this._params.must & MUST_GLOBALS, GLOBALS),
    "tables_id" / If(this._params.must & MUST_ENTROPY, Bytes(4)),
    "packet_frames" / If(this._params.must & MUST_LIVE, Byte),
)
LENGTH = Varint(stretchable=True)  # samples + 1, 0 for unknown
HEADER_CHECKSUM = Int16ub

BLOCK_HEAD = Struct("type" / Byte, "size" / Varint())
BLOCK_CHECKSUM = Int32ub
