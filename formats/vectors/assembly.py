"""Streams put together below the writer, which would refuse to write what breaks a rule."""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import numpy as np
from good import Content, chunks
from mlcfile import Header, Tables
from mlcfile.blocks import ANCILLARY, CODES, END, pack_block
from mlcfile.header_bytes import HeaderBytes, pack_header
from mlcfile.payload import pack_codes

VERSION_BYTE, FLAGS_BYTE, SOUND_BYTE = 3, 4, 11  # places in a header


def before_length(of: Header) -> bytes:
    packed = pack_header(of)
    return packed.data[: packed.length_offset]


def seal(head: bytes, length: bytes) -> HeaderBytes:
    """A header with the right checksum, whatever it says."""
    return HeaderBytes(head + length + (crc32(head + length) & 0xFFFF).to_bytes(2, "big"), len(head))


def body(of: Header, block: Content, tables: Tables | None = None) -> bytes:
    """Of a CODES block."""
    globals_ = np.array(block["globals"], np.uint16) if "globals" in block else None
    return pack_codes(of, np.array(block["indices"], np.uint16), globals_, tables)


def bodies(of: Header, frames: int) -> list[bytes]:
    return [body(of, block) for block in chunks(of, frames)]


def pieces(head: HeaderBytes, blocks: list[tuple[int, bytes]], end: bytes | None) -> list[bytes]:
    """Header and blocks with the right checksums, whatever they hold; `end` is the body of END."""
    digest, chunk, made = head.seed, 0, [head.data]
    for type_, content in blocks:
        made.append(pack_block(type_, content, chunk, head.seed))
        chunk += type_ == CODES
        digest = digest if type_ & ANCILLARY else crc32(content, digest)
    return made if end is None else [*made, pack_block(END, end, chunk, digest)]


def assemble(head: HeaderBytes, blocks: list[tuple[int, bytes]], end: bytes | None) -> bytes:
    return b"".join(pieces(head, blocks, end))


class Broken(NamedTuple):
    """A file that breaks a rule, and what a reader says of it."""

    name: str
    rule: str
    error: str
    message: str
    data: bytes
    chunks: int = 0  # that can be read before


def flip(data: bytes, place: int, bits: int = 1) -> bytes:
    return put(data, place, bytes([data[place] ^ bits]))


def put(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]
