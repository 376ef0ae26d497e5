"""The body of an entropy-coded chunk: frames, global indices, states, words, and a last byte that no raw body has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .description import pack_varint, read_varint
from .errors import CorruptError
from .header import Header
from .rans import Indices, Stream, decode, encode
from .tables import Tables

LAST_BYTE = 0  # a raw body ends with the byte of its stop bit, which is never 0
STATE_BYTES, WORD_BYTES = 4, 2


class CodedBody(NamedTuple):
    """A coded body taken apart; its indices are still coded."""

    frames: int
    globals_: bytes  # their bits, filled with zeros to a byte
    stream: Stream

    @property
    def index_bits(self) -> int:
        """Bits that the indices take."""
        return 8 * (STATE_BYTES * len(self.stream.states) + WORD_BYTES * len(self.stream.words))


def is_coded(header: Header, last_byte: bytes) -> bool:
    return header.tables_id is not None and last_byte == bytes([LAST_BYTE])


def pack_coded(header: Header, tables: Tables, indices: Indices, globals_: bytes) -> bytes | None:
    """Codes indices (coded channel, frame, row); None if one of them is not in the tables."""
    stream = encode(tables, indices)
    if stream is None:
        return None
    frames = indices.shape[1]
    return b"".join(
        [
            pack_varint(0 if frames == header.layout.chunk_frames else frames),
            globals_,
            stream.states.astype(">u4").tobytes(),
            stream.words.astype(">u2").tobytes(),
            bytes([LAST_BYTE]),
        ]
    )


def split_coded(header: Header, body: bytes) -> CodedBody:
    """Takes a coded body apart, for which no tables are needed."""
    place = 0

    def take(size: int) -> bytes:
        nonlocal place
        taken, place = body[place : min(place + size, len(body) - 1)], place + size
        if len(taken) < size:
            raise CorruptError("an entropy-coded chunk is cut off")
        return taken

    frames = read_varint(take)
    if frames >= header.layout.chunk_frames:
        raise CorruptError(
            f"an entropy-coded chunk says {frames} frames, but one that is not full has less than "
            f"{header.layout.chunk_frames}"
        )
    frames = frames or header.layout.chunk_frames
    if len(body) >= (raw_bytes := header.body_bytes(frames)):
        raise CorruptError(
            f"an entropy-coded chunk has {len(body)} bytes, but is no smaller than its {raw_bytes} raw"
        )
    globals_ = take(-(-header.chunk_globals_bits // 8))
    if int.from_bytes(globals_, "big") & (1 << -header.chunk_globals_bits % 8) - 1:
        raise CorruptError("the bits after the global indices of an entropy-coded chunk are not 0")
    states = np.frombuffer(take(STATE_BYTES * header.coded_channels * header.layout.rows), ">u4")
    rest = len(body) - 1 - place
    if rest % WORD_BYTES:
        raise CorruptError("an entropy-coded chunk ends within a word")
    words = np.frombuffer(take(rest), ">u2")
    return CodedBody(frames, globals_, Stream(states.astype(np.int64), words.astype(np.int64)))


def decode_coded(header: Header, tables: Tables, coded: CodedBody) -> Indices:
    return decode(tables, coded.stream, header.coded_channels, coded.frames, header.layout.rows)
