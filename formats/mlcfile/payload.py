"""Packs indices into bits and back: fixed widths, high bit first, then a stop bit and zeros to fill the byte.

With tables, chunks are entropy coded where that makes them smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .entropy import decode_coded, is_coded, pack_coded, split_coded
from .errors import CorruptError
from .header import Header
from .tables import Tables

Indices = NDArray[np.uint16]


class Codes(NamedTuple):
    """What the body of a CODES block holds."""

    frames: int
    indices: Indices | None  # (coded channel, frame, row); None if they are coded and there were no tables
    globals_: Indices | None  # (coded channel, count), if chunks carry them
    index_bits: int  # that the indices take
    is_coded: bool = False  # entropy coded


def pack_codes(
    header: Header, indices: Indices, globals_: Indices | None, tables: Tables | None = None
) -> bytes:
    """Packs indices (coded channel, frame, row) and, if chunks carry them, globals_ (coded channel, count)."""
    bits = [bits_of(indices.transpose(1, 0, 2), header.layout.index_bits)]  # frame by frame
    if globals_ is not None and header.globals_ is not None:
        bits.insert(0, bits_of(globals_, header.globals_.bits))
    raw = _pack(bits)
    if tables is None:
        return raw
    coded = pack_coded(header, tables, indices, b"" if globals_ is None else np.packbits(bits[0]).tobytes())
    return raw if coded is None or len(coded) >= len(raw) else coded


def unpack_codes(header: Header, body: bytes, tables: Tables | None = None) -> Codes:
    """The inverse of `pack_codes`. Refuses anything that `pack_codes` cannot have written."""
    if is_coded(header, body[-1:]):
        return _unpack_coded(header, body, tables)
    frames = frames_in(header, len(body), body[-1:])
    bits = _unpack(body)
    head, body_bits = np.split(bits, [header.chunk_globals_bits])
    globals_ = _globals_of(header, head) if head.size else None
    shape = (frames, header.coded_channels, header.layout.rows)
    indices = indices_of(body_bits, header.layout.index_bits).reshape(shape).transpose(1, 0, 2)
    return Codes(frames, indices, globals_, frames * header.frame_bits)


def _unpack_coded(header: Header, body: bytes, tables: Tables | None) -> Codes:
    coded = split_coded(header, body)
    indices = None if tables is None else decode_coded(header, tables, coded)
    bits = np.unpackbits(np.frombuffer(coded.globals_, np.uint8))[: header.chunk_globals_bits]
    return Codes(
        coded.frames, indices, _globals_of(header, bits) if bits.size else None, coded.index_bits, True
    )


def frames_of(header: Header, body: bytes) -> int:
    """The number of frames in a chunk, without unpacking its indices."""
    if is_coded(header, body[-1:]):
        return split_coded(header, body).frames
    return frames_in(header, len(body), body[-1:])


def index_bits_in(header: Header, body: bytes) -> int:
    """Bits that the indices take in the body of a chunk."""
    if is_coded(header, body[-1:]):
        return split_coded(header, body).index_bits
    return frames_in(header, len(body), body[-1:]) * header.frame_bits


def frames_in(header: Header, size: int, last_byte: bytes) -> int:
    """The number of frames in a raw chunk of `size` bytes. Its last byte is enough to know it, without unpacking."""
    bits = _bits_in(size, last_byte)
    frames, rest = divmod(bits - header.chunk_globals_bits, header.frame_bits)
    if rest or not 1 <= frames <= header.layout.chunk_frames:
        raise CorruptError(f"{bits} bits do not make a chunk of 1 to {header.layout.chunk_frames} frames")
    return frames


def pack_globals(header: Header, globals_: Indices) -> bytes:
    assert header.globals_ is not None
    return _pack([bits_of(globals_, header.globals_.bits)])


def unpack_globals(header: Header, body: bytes) -> Indices:
    """Returns global indices (coded channel, count)."""
    check_globals(header, len(body), body[-1:])
    return _globals_of(header, _unpack(body))


def check_globals(header: Header, size: int, last_byte: bytes) -> None:
    """Raises unless a GLOBAL block of `size` bytes holds exactly one set of indices."""
    bits = _bits_in(size, last_byte)
    if bits != header.globals_bits:
        raise CorruptError(f"{bits} bits of global indices instead of {header.globals_bits}")


def check_indices(name: str, values: ArrayLike, shape: tuple[int, ...], bits: int) -> Indices:
    """Returns `values` as uint16 if they have this shape (-1: any size) and fit the width; otherwise raises."""
    array = np.asarray(values)
    if array.ndim != len(shape) or any(w not in (-1, h) for h, w in zip(array.shape, shape, strict=True)):
        raise ValueError(f"{name} have shape {array.shape} instead of {shape}")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} have type {array.dtype} instead of integers")
    lowest, highest = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if lowest < 0 or highest >= 1 << bits:
        raise ValueError(f"{name} {lowest}..{highest} do not fit {bits} bits")
    return array.astype(np.uint16)


def bits_of(values: Indices, width: int) -> NDArray[np.uint8]:
    shifts = np.arange(width - 1, -1, -1, dtype=np.uint16)
    return (values.reshape(-1, 1) >> shifts & 1).astype(np.uint8).reshape(-1)


def indices_of(bits: NDArray[np.uint8], width: int) -> Indices:
    values = np.zeros(bits.size // width, np.uint16)
    for column in bits.reshape(-1, width).T:  # in place, to avoid a copy sixteen times as large
        values *= 2
        values += column
    return values


def _globals_of(header: Header, bits: NDArray[np.uint8]) -> Indices:
    assert header.globals_ is not None
    return indices_of(bits, header.globals_.bits).reshape(header.coded_channels, header.globals_.count)


def _pack(bits: list[NDArray[np.uint8]]) -> bytes:
    return np.packbits(np.concatenate([*bits, np.ones(1, np.uint8)])).tobytes()


def _bits_in(size: int, last_byte: bytes) -> int:
    """Bits before the stop bit, which is the last 1 and lies in the last byte."""
    last = last_byte[0] if last_byte else 0
    if not last:
        raise CorruptError("the last byte holds no stop bit")
    return 8 * size - (last & -last).bit_length()  # the stop bit and the zeros after it


def _unpack(body: bytes) -> NDArray[np.uint8]:
    """All bits before the stop bit."""
    return np.unpackbits(np.frombuffer(body, np.uint8))[: _bits_in(len(body), body[-1:])]
