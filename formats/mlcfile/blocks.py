"""Blocks: type, size, body, checksum; and what the bodies of the known types hold."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias
from zlib import crc32

from .description import BLOCK_CHECKSUM, BLOCK_HEAD, MAX_VARINT_BYTES, pack_varint, read_varint
from .errors import CorruptError, NoTablesError, TruncatedError
from .header import Header
from .layout import MAX_BODY_BYTES
from .payload import Codes, Indices
from .source import Source
from .tags import Tags

END, CODES, GLOBAL, TAGS, PADDING = 0x00, 0x01, 0x02, 0x81, 0x82
CHECKSUM_BYTES = 4
ANCILLARY = 0x80  # a reader may skip an unknown type that has this bit
NOT_A_TYPE = 0x8D  # never a block type: a header begins with this byte
NO_END = "the stream ends before its END block"
NAMES = {END: "END", CODES: "CODES", GLOBAL: "GLOBAL", TAGS: "TAGS", PADDING: "PADDING"}


@dataclass(frozen=True, eq=False)
class Chunk:
    """The frames of one CODES block."""

    number: int
    first_frame: int
    codes: Codes
    globals_: Indices | None  # (coded channel, count): its own, or those of the last GLOBAL block

    @property
    def frames(self) -> int:
        return self.codes.frames

    @property
    def indices(self) -> Indices:
        """Indices (coded channel, frame, row). Those of an entropy-coded chunk need the reader to have its tables."""
        if self.codes.indices is None:
            raise NoTablesError("the stream is entropy coded, and its tables are not at hand")
        return self.codes.indices


@dataclass(frozen=True)
class End:
    """What an END block says about the whole stream."""

    frames: int
    samples: int  # of the original, per channel
    digest: int  # the checksum over all payloads
    verified: bool  # False if chunks before it were lost or skipped: then the digest cannot be checked


Content: TypeAlias = Chunk | End | Tags | Indices | None  # None: nothing beyond the bytes, as in padding


@dataclass(frozen=True, eq=False)
class Block:
    """A block whose checksum matched."""

    type: int
    body: bytes
    data: bytes  # the whole block
    offset: int  # of its first byte, from the start of what the reader was given
    chunk: int  # number of CODES blocks before it
    content: Content

    @property
    def name(self) -> str:
        return name_of(self.type)


@dataclass(frozen=True)
class RawBlock:
    """A block as it was read, before its checksum is checked."""

    type: int
    body: bytes
    checked: bytes  # all that the checksum covers
    checksum: int  # as stored

    @property
    def name(self) -> str:
        return name_of(self.type)

    @property
    def data(self) -> bytes:
        return self.checked + self.checksum.to_bytes(4, "big")

    def matches(self, chunk: int, seed: int) -> bool:
        return checksum(self.checked, chunk, seed) == self.checksum

    def chunk_among(self, chunks: range, seed: int) -> int | None:
        """The chunk number that makes the checksum right, if it is one of `chunks`."""
        number = chunk_with(crc32(self.checked, seed), self.checksum)
        return number if number in chunks else None


def name_of(type_: int) -> str:
    return NAMES.get(type_, f"0x{type_:02x}")


def checksum(block: bytes, chunk: int, seed: int) -> int:
    """The checksum of a block, from its bytes and from the seed and chunk number, which are not stored with it.

    The number comes last, so that a search for it reads the block only once.
    """
    return crc32(chunk.to_bytes(4, "big"), crc32(block, seed))


def _bytewise(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (0xEDB88320 if index & 1 else 0)
    return index


_STEPS = [_bytewise(index) for index in range(256)]  # CRC32's table, for a byte at a time
_STEP_WITH_TOP = {step >> 24: index for index, step in enumerate(_STEPS)}  # the table in reverse


def chunk_with(before: int, stored: int) -> int:
    """The one chunk number that turns the checksum `before` into `stored`: CRC32 over four bytes, run backwards."""
    state = stored ^ 0xFFFFFFFF
    for _ in range(4):
        index = _STEP_WITH_TOP[state >> 24]
        state = (state ^ _STEPS[index]) << 8 | index
    return int.from_bytes((state ^ before ^ 0xFFFFFFFF).to_bytes(4, "little"), "big")


def pack_block(type_: int, body: bytes, chunk: int, seed: int) -> bytes:
    block: bytes = BLOCK_HEAD.build({"type": type_, "size": len(body)}) + body
    return block + BLOCK_CHECKSUM.build(checksum(block, chunk, seed))


def read_raw_block(source: Source, header: Header) -> RawBlock:
    """Reads exactly one block from `source`; the caller checks its checksum."""
    type_, size = read_block_head(source, header)
    try:
        body = source.take(size)
        stored = int.from_bytes(source.take(CHECKSUM_BYTES), "big")
    except EOFError:
        raise TruncatedError(NO_END) from None
    return RawBlock(type_, body, bytes([type_]) + pack_varint(size) + body, stored)


def read_block_head(source: Source, header: Header) -> tuple[int, int]:
    """Reads the type of a block and the size of its body, which is within the limits."""
    try:
        type_ = source.take(1)[0]
        size = read_varint(source.take)
    except EOFError:
        raise TruncatedError(NO_END) from None
    if type_ == NOT_A_TYPE:
        raise TruncatedError("another stream begins before this one's END block")
    limit = max_body_bytes(type_, header)
    if size > limit:  # checked before anything of that size is read or allocated
        name = name_of(type_)
        raise CorruptError(f"a {name} block of {size} bytes is over the limit of {limit}")
    return type_, size


def max_body_bytes(type_: int, header: Header) -> int:
    known = {END: 2 * MAX_VARINT_BYTES, CODES: header.chunk_bytes}
    if header.globals_ is not None:
        known[GLOBAL] = header.globals_bits // 8 + 1
    return known.get(type_, MAX_BODY_BYTES)


def pack_end(frames: int, samples: int | None) -> bytes:
    """Packs an END block's body; `samples` is None if the header already gives the length."""
    return pack_varint(frames) + (b"" if samples is None else pack_varint(samples))


def unpack_end(body: bytes) -> tuple[int, int | None]:
    """Returns (frames, samples)."""
    stream = BytesIO(body)

    def take(size: int) -> bytes:
        if not (piece := stream.read(size)):
            raise CorruptError("the END block is cut off")
        return piece

    frames = read_varint(take)
    samples = read_varint(take) if stream.tell() < len(body) else None
    if stream.tell() < len(body):
        raise CorruptError("the END block has extra bytes after its numbers")
    return frames, samples
