"""Writes one stream to any file object, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import BinaryIO
from zlib import crc32

from numpy.typing import ArrayLike

from .blocks import ANCILLARY, CODES, END, GLOBAL, NOT_A_TYPE, PADDING, TAGS, pack_block, pack_end
from .header import MAX_CHUNKS, Header
from .header_bytes import pack_header, patch_length
from .layout import MAX_BODY_BYTES
from .payload import Indices, check_indices, index_bits_in, pack_codes, pack_globals
from .sink import write_all
from .tables import Tables
from .tags import pack_tags

try:
    import fcntl
    import os
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]


class Writer:
    """Writes the header at once and every block as soon as it is given; `finish` writes the END block.

    If the header lacks the length and the file is seekable, `finish` fills it in. As a context manager it finishes
    if the block ends without an exception, and otherwise leaves a truncated stream.
    """

    def __init__(self, file: BinaryIO, header: Header, tables: Tables | None = None) -> None:
        """tables: those that the header names, if any; chunks are entropy coded where that makes them smaller."""
        if tables is not None:
            tables.check_for(header)
        elif header.tables_id is not None:
            raise ValueError(f"an entropy-coded stream needs its tables {header.tables_id.hex()}")
        if header.packet_frames is not None:
            raise ValueError("a live stream has no blocks; a Packer makes its packets")
        self.header = header
        self._tables = tables
        self.finished = False
        self.payload_bits = 0  # of indices and global indices so far
        self._file = file
        self._patchable = header.samples is None and _can_overwrite(file)
        self._start = file.tell() if self._patchable else 0
        self._header_bytes = pack_header(header, self._patchable)
        self._digest = self._header_bytes.seed
        self._chunks = 0
        self._frames = 0
        self._global_at: int | None = None  # chunk that the last GLOBAL block precedes
        self._emit(self._header_bytes.data)

    def write_tags(self, tags: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        self.write_ancillary(TAGS, pack_tags(tags))

    def write_padding(self, size: int) -> None:
        """Writes `size` zero bytes as room for something that replaces them later."""
        self.write_ancillary(PADDING, bytes(size))

    def write_ancillary(self, type_: int, body: bytes) -> None:
        """Writes a block that readers may skip, of a type from 0x80 to 0xff."""
        if not ANCILLARY <= type_ <= 0xFF or type_ == NOT_A_TYPE:
            raise ValueError(f"{type_:#04x} is not the type of an ancillary block")
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"a body of {len(body)} bytes is over the limit of {MAX_BODY_BYTES}")
        self._write_block(type_, body)

    def write_globals(self, globals_: ArrayLike) -> None:
        """Writes globals_ (coded channel, count) for all chunks from the next one on. Only with stream scope."""
        if self.header.globals_ is None or self.header.globals_.scope != "stream":
            raise ValueError("the header announces no global indices of stream scope")
        if self._global_at == self._chunks:
            raise ValueError("two GLOBAL blocks for one chunk")
        self._write_block(GLOBAL, pack_globals(self.header, self._checked_globals(globals_)))
        self.payload_bits += self.header.globals_bits
        self._global_at = self._chunks

    def write_chunk(self, indices: ArrayLike, globals_: ArrayLike | None = None) -> None:
        """Writes indices (coded channel, frame, row), with chunk scope also globals_ (coded channel, count)."""
        header = self.header
        checked = check_indices(
            "indices", indices, (header.coded_channels, -1, header.layout.rows), header.layout.index_bits
        )
        frames = checked.shape[1]
        if not 1 <= frames <= header.layout.chunk_frames:
            raise ValueError(f"a chunk of {frames} frames is outside 1..{header.layout.chunk_frames}")
        if self._frames % header.layout.chunk_frames:
            raise ValueError("a chunk that is not full must be the last")
        if header.frames is not None and self._frames + frames > header.frames:
            raise ValueError(f"more frames than the {header.frames} of the header's length")
        if self._chunks == MAX_CHUNKS:
            raise ValueError(f"more than {MAX_CHUNKS} chunks")
        if header.globals_ is not None and header.globals_.scope == "stream" and self._global_at is None:
            raise ValueError("no GLOBAL block before the first chunk")
        if bool(header.chunk_globals_bits) != (globals_ is not None):
            raise ValueError(
                "global indices belong to a chunk if, and only if, the header announces them for chunks"
            )
        own = None if globals_ is None else self._checked_globals(globals_)
        body = pack_codes(header, checked, own, self._tables)
        self._write_block(CODES, body)
        self.payload_bits += index_bits_in(header, body) + header.chunk_globals_bits
        self._chunks += 1
        self._frames += frames

    def finish(self, samples: int | None = None) -> None:
        """Writes the END block. Needs the original's `samples` if the header lacks them."""
        if self.finished:
            raise ValueError("the stream is already finished")
        known = self.header.samples
        if samples is None:
            samples = known
        if samples is None or known not in (None, samples):
            raise ValueError(f"the length is {samples} samples, but {known} in the header")
        if (expected := self.header.frames_of(samples)) != self._frames:
            raise ValueError(f"{samples} samples make {expected} frames, not {self._frames}")
        body = pack_end(self._frames, None if known is not None else samples)
        self._emit(pack_block(END, body, self._chunks, self._digest))
        self.finished = True
        if self._patchable:  # only now, so that the header never promises more than the file holds
            self._overwrite(self._start, patch_length(self._header_bytes, samples).data)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self.finished:
            self.finish()

    def _checked_globals(self, globals_: ArrayLike) -> Indices:
        assert self.header.globals_ is not None
        shape = (self.header.coded_channels, self.header.globals_.count)
        return check_indices("global indices", globals_, shape, self.header.globals_.bits)

    def _write_block(self, type_: int, body: bytes) -> None:
        if self.finished:
            raise ValueError("the stream is already finished")
        self._emit(pack_block(type_, body, self._chunks, self._header_bytes.seed))
        if not type_ & ANCILLARY:
            self._digest = crc32(body, self._digest)

    def _emit(self, data: bytes) -> None:
        """Writes and flushes, as a listener may be waiting."""
        write_all(self._file, data)
        self._file.flush()

    def _overwrite(self, position: int, data: bytes) -> None:
        end = self._file.tell()
        self._file.seek(position)
        self._emit(data)
        self._file.seek(end)


def _can_overwrite(file: BinaryIO) -> bool:
    """True if written bytes can be replaced. A file opened for appending is seekable, but only writes at its end."""
    if not getattr(file, "seekable", lambda: False)():
        return False
    if fcntl is None:
        return True
    try:
        return not fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_APPEND
    except (AttributeError, OSError):  # a file in memory has no descriptor
        return True
