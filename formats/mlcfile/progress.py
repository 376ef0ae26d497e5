"""Tracks how far a stream has been read, and checks that each block may follow the ones before it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from zlib import crc32

from .blocks import ANCILLARY, CODES, GLOBAL, TAGS, Chunk, Content, End, RawBlock, unpack_end
from .entropy import is_coded
from .errors import CorruptError, UnsupportedError
from .header import MAX_CHUNKS, Header
from .payload import Codes, Indices, check_globals, frames_in, frames_of, unpack_codes, unpack_globals
from .tables import Tables
from .tags import Tags, unpack_tags


@dataclass
class Progress:
    """The state of reading one stream. Taking a block updates it, or raises and changes nothing."""

    header: Header
    digest: int | None  # over all payloads so far, from the seed on; None once it cannot be known
    tables: Tables | None = None  # for chunks that are entropy coded
    chunk: int = 0  # number of the next one
    frames: int = 0  # in the chunks before it
    globals_: Indices | None = None  # from the last GLOBAL block
    globals_chunk: int | None = None  # the chunk which that block precedes
    tags: Tags = field(default_factory=list)
    lost: list[range] = field(default_factory=list)  # numbers of chunks that were passed over
    end: End | None = None

    def at_chunk(self, number: int) -> Progress:
        """A copy that expects chunk `number` next and keeps the tags and globals read so far."""
        frames = number * self.header.layout.chunk_frames
        return replace(
            self, chunk=number, frames=frames, digest=None, tags=list(self.tags), lost=[], end=None
        )

    def pass_over(self, number: int) -> None:
        """Counts the unread chunks before `number` as lost."""
        if number > self.chunk:
            self.lost.append(range(self.chunk, number))
            self.chunk, self.frames, self.digest = number, number * self.header.layout.chunk_frames, None

    def take(self, raw: RawBlock, number: int, damaged: bool = False) -> Content:
        """Takes a block other than END, whose checksum is right for chunk `number`, and returns its content.

        In a `damaged` stream, a chunk's GLOBAL block may be missing.
        """
        if raw.type & ANCILLARY:
            tags = unpack_tags(raw.body) if raw.type == TAGS else None
            self.tags += tags or []
            return tags
        content: Chunk | Indices
        if raw.type == CODES:
            content = self._chunk_of(raw.body, number)
            if self.header.globals_ is not None and content.globals_ is None and not damaged:
                raise CorruptError("no GLOBAL block before the first chunk")
            self.pass_over(number)
            self.chunk, self.frames = number + 1, content.first_frame + content.frames
        elif raw.type == GLOBAL:
            content = self._globals_of(raw.body, number)
            self.pass_over(number)
            self.globals_, self.globals_chunk = content, number
        else:
            raise UnsupportedError(f"the critical block type {raw.name} is not known to this version")
        self.digest = None if self.digest is None else crc32(raw.body, self.digest)
        return content

    def take_live(self, number: int, codes: Codes) -> Chunk:
        """Takes a chunk of a live stream, whose check is right for this number."""
        self.pass_over(number)
        chunk = Chunk(number, number * self.header.layout.chunk_frames, codes, None)
        self.chunk, self.frames = number + 1, chunk.first_frame + chunk.frames
        return chunk

    def take_end(self, raw: RawBlock, damaged: bool = False) -> End:
        """Takes an END block. In a `damaged` stream, chunks may be missing before it and the digest may differ."""
        verified = self.digest is not None and raw.matches(self.chunk, self.digest)
        if self.digest is not None and not verified and not damaged:
            raise CorruptError("the digest of the END block does not match")
        frames, own_samples = unpack_end(raw.body)
        samples = own_samples if self.header.samples is None else self.header.samples
        if samples is None:
            raise CorruptError("neither the header nor the END block gives the length")
        if own_samples not in (None, samples):
            raise CorruptError(f"the END block gives {own_samples} samples, but the header gives {samples}")
        if (expected := self.header.frames_of(samples)) != frames:
            raise CorruptError(f"{samples} samples make {expected} frames, not {frames}")
        if frames != self.frames and not (damaged and frames > self.frames):
            raise CorruptError(f"the END block counts {frames} frames, but {self.frames} came before it")
        self.pass_over(self.header.chunks_of(samples))
        self.end = End(frames, samples, raw.checksum, verified)
        return self.end

    def check_next(self, type_: int, number: int, size: int, last_byte: bytes) -> None:
        """Raises if a CODES or GLOBAL block cannot come next, judging by the size and last byte of its body."""
        if type_ == CODES:
            self._check_place(number)
            if not is_coded(self.header, last_byte):
                self._check_frames(number, frames_in(self.header, size, last_byte))
        else:
            self._check_global(number, size, last_byte)

    def _chunk_of(self, body: bytes, number: int) -> Chunk:
        self._check_place(number)
        self._check_frames(number, frames_of(self.header, body))
        codes = unpack_codes(self.header, body, self.tables)
        globals_ = self.globals_ if codes.globals_ is None else codes.globals_
        return Chunk(number, number * self.header.layout.chunk_frames, codes, globals_)

    def _check_place(self, number: int) -> None:
        if number >= MAX_CHUNKS:
            raise CorruptError(f"more than {MAX_CHUNKS} chunks")
        if self.frames % self.header.layout.chunk_frames:
            raise CorruptError("a chunk follows one that is not full")

    def _check_frames(self, number: int, frames: int) -> None:
        header, first_frame = self.header, number * self.header.layout.chunk_frames
        if header.frames is not None:
            expected = max(0, min(header.frames - first_frame, header.layout.chunk_frames))
            if frames != expected:
                raise CorruptError(
                    f"a chunk has {frames} frames, but the header's length gives it {expected}"
                )

    def _globals_of(self, body: bytes, number: int) -> Indices:
        self._check_global(number, len(body), body[-1:])
        return unpack_globals(self.header, body)

    def _check_global(self, number: int, size: int, last_byte: bytes) -> None:
        if self.header.globals_ is None or self.header.globals_.scope != "stream":
            raise CorruptError("a GLOBAL block, but the header announces none")
        if self.globals_chunk == number:
            raise CorruptError("two GLOBAL blocks for one chunk")
        check_globals(self.header, size, last_byte)
