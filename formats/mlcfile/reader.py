"""Reads streams from any file object, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from .blocks import (
    ANCILLARY,
    CHECKSUM_BYTES,
    CODES,
    END,
    GLOBAL,
    Block,
    Chunk,
    Content,
    End,
    RawBlock,
    chunk_with,
    max_body_bytes,
    read_block_head,
    read_raw_block,
)
from .errors import CorruptError, MlcError, TruncatedError, UnsupportedError
from .header import MAX_CHUNKS
from .header_bytes import MAGIC, read_header
from .live_chunks import LiveChunks
from .progress import Progress
from .source import Source
from .tables import Tables
from .tags import Tags

RUBBISH = "unexpected data after the end of the stream"
SEARCHED_CHUNKS = 64  # how many chunk numbers a search tries after the last intact chunk
# A search that reads more than this for each byte of the file is in a hostile file, where thousands of places look like
# blocks and are not. Chance damage comes nowhere near it.
VAIN_BYTES_FREE, VAIN_BYTES_EACH = 64 << 20, 1024


class Reader:
    """Reads one stream. Iterating yields its chunks; `blocks` yields every block.

    It reads no byte beyond the blocks it has yielded. With `conceal`, damage is collected in `damage` instead of
    raised, and reading goes on at the next intact block; `lost` has the missing chunk numbers.
    """

    def __init__(self, file: BinaryIO | Source, conceal: bool = False) -> None:
        self._source = file if isinstance(file, Source) else Source(file)
        self.conceal = conceal
        self.damage: list[CorruptError] = []
        self.offset = self._source.offset  # of the header's first byte
        self.header, self.header_bytes = read_header(self._source)
        self._tables: Tables | None = None
        self._progress = self._begun()
        # Offset and size of chunk 0, and the state before it.
        self._first_chunk: tuple[int, int, Progress] | None = None
        self._done = False
        self._next_header = -1  # offset of a header already seen to follow
        # The largest body of each block type that a search looks for.
        self._searched_bytes = {type_: max_body_bytes(type_, self.header) for type_ in (CODES, END)}
        self._searched_bytes[GLOBAL] = max_body_bytes(GLOBAL, self.header) if self.header.globals_ else 0

    def use_tables(self, tables: Tables) -> None:
        """Decodes the indices of entropy-coded chunks from here on; raises if the header names other tables."""
        tables.check_for(self.header)
        self._tables = self._progress.tables = tables

    @property
    def tags(self) -> Tags:
        """The tags in the blocks read so far."""
        return self._progress.tags

    @property
    def lost(self) -> list[range]:
        """Numbers of the chunks lost to damage so far."""
        return self._progress.lost

    @property
    def end(self) -> End | None:
        """Totals and digest, once the END block has been read."""
        return self._progress.end

    def __iter__(self) -> Iterator[Chunk]:
        for block in self.blocks():
            if isinstance(block.content, Chunk):
                yield block.content

    def blocks(self) -> Iterator[Block]:
        """Every block that has not been read yet, END included; of a live stream every chunk, as one."""
        if self.header.packet_frames is not None:
            yield from self._live_chunks()
            return
        while not self._done:
            if self.conceal:
                self._source.mark()
            try:
                block: Block | None = self._read_block()
            except MlcError as error:
                if not (self.conceal and isinstance(error, CorruptError)):
                    self._done = True
                    raise
                self._note(error)
                self._source.rewind()
                block = self._find_block()
            self._source.release()
            self._done = block is None or block.type == END
            if self.conceal and self._done:
                self._skip_rubbish()
            if block is not None:
                yield block

    def _live_chunks(self) -> Iterator[Block]:
        def note(error: CorruptError) -> None:
            if not self.conceal:
                raise error
            self._note(error)

        yield from LiveChunks(self._source, self.header, self.header_bytes, self._progress, note)

    def seek_chunk(self, number: int) -> None:
        """Makes chunk `number`, or with `conceal` the next intact one, the next to be read. Needs a seekable file.

        Full chunks all have the same size, so normally only chunk 0 and the wanted one are read; of entropy-coded ones
        the first bytes, which say their size. If other blocks or damage lie between, the stream is read again from
        its beginning. If its length is unknown, seeking to its end is possible too.
        """
        if not self._source.seekable() or self.header.packet_frames is not None:
            raise ValueError("the file is not seekable, or a live stream")
        if not 0 <= number < (MAX_CHUNKS if self.header.chunks is None else self.header.chunks):
            raise ValueError(f"there is no chunk {number}")
        while self._first_chunk is None and next(self.blocks(), None):
            pass
        if not self._jump_to(number):
            self._walk_to(number)
        if self._done and self._progress.chunk <= number:
            raise ValueError(f"there is no chunk {number}")

    def _jump_to(self, number: int) -> bool:
        """Goes to where the chunk lies if only full chunks come between; False if it is not there."""
        if self._first_chunk is None:
            return False
        offset, size, progress = self._first_chunk
        try:
            if self.header.tables_id is None:
                self._source.seek(offset + number * size)
            else:
                self._source.seek(offset)
                self._pass_chunks(number)
            self._source.mark()
            raw = read_raw_block(self._source, self.header)
        except CorruptError:
            return False
        self._source.rewind()
        self._progress, self._done = progress.at_chunk(number), False
        self._progress.tables = self._tables
        return raw.type == CODES and raw.matches(number, self.header_bytes.seed)

    def _pass_chunks(self, count: int) -> None:
        """Passes over so many chunks, reading only their types and sizes."""
        for _ in range(count):
            type_, size = read_block_head(self._source, self.header)
            if type_ != CODES:
                raise CorruptError("another block lies between the chunks")
            self._source.seek(self._source.offset + size + CHECKSUM_BYTES)

    def _begun(self) -> Progress:
        """The state before the first block."""
        return Progress(self.header, self.header_bytes.seed, self._tables)

    def _walk_to(self, number: int) -> None:
        self._source.seek(self.offset + len(self.header_bytes.data))
        self._progress, self._done = self._begun(), False
        self._progress.tables = None  # the indices on the way are not wanted
        self.damage.clear()
        while self._progress.chunk < number and (block := next(self.blocks(), None)):
            if block.type == CODES and block.chunk > number:  # the wanted one is lost: back to this one
                self._source.seek(block.offset)
                self._progress = replace(self._progress.at_chunk(block.chunk), lost=self.lost)
        self._progress.tables = self._tables

    def _read_block(self, searched_chunks: int = 1) -> Block:
        """Reads the block that begins here, which must belong to one of the next `searched_chunks` chunks."""
        offset, progress = self._source.offset, self._progress
        chunk = progress.chunk
        try:
            raw = read_raw_block(self._source, self.header)
            if raw.type == END:
                content: Content = self._take_end(raw)
            else:
                chunk = self._chunk_number(raw, searched_chunks)
                content = self._take(raw, chunk, offset)
        except CorruptError as error:
            error.offset = offset
            if self.header.chunks is None or chunk < self.header.chunks:
                error.chunk, error.start_s = chunk, self.header.chunk_start_s(chunk)
            raise
        return Block(raw.type, raw.body, raw.data, offset, chunk, content)

    def _chunk_number(self, raw: RawBlock, searched_chunks: int) -> int:
        """Finds the chunk number that makes the block's checksum right."""
        first = self._progress.chunk
        searched = range(first, min(first + searched_chunks, MAX_CHUNKS))
        number = raw.chunk_among(searched, self.header_bytes.seed)
        if number is None:
            raise CorruptError(f"the checksum of a {raw.name} block does not match")
        return number

    def _take(self, raw: RawBlock, number: int, offset: int) -> Content:
        before = self._progress.at_chunk(0) if raw.type == CODES and number == 0 else None
        try:
            content = self._progress.take(raw, number, damaged=bool(self.damage))
        except CorruptError as error:
            if not (self.conceal and raw.type & ANCILLARY):
                raise
            error.offset = offset
            self._note(error)  # its checksum is right, so its end is known and no search is needed
            return None
        if before is not None:
            self._first_chunk = offset, self._source.offset - offset, before
        return content

    def _take_end(self, raw: RawBlock) -> End:
        """Takes an END block. After damage the digest may not help, so what follows decides: END or a stray zero."""
        if self.damage and self._source.peek(len(MAGIC)) not in (b"", MAGIC):
            raise CorruptError("unexpected data after the END block")
        return self._progress.take_end(raw, damaged=bool(self.damage))

    def _find_block(self) -> Block | None:
        """Searches byte by byte for the next intact block after damage; None where the stream stops."""
        source = self._source
        while head := source.peek(4):
            if head[0] in (CODES, GLOBAL, END):
                if self._may_begin(head):
                    source.mark()
                    try:
                        return self._read_block(SEARCHED_CHUNKS)
                    except CorruptError:
                        source.rewind()
                if source.vain_bytes > VAIN_BYTES_FREE + VAIN_BYTES_EACH * source.offset:
                    self._note(
                        CorruptError("too much data looks like a block but is not", offset=source.offset)
                    )
                    break
            elif self._header_follows():
                break
            source.read(1)
        if not isinstance(self.damage[-1], TruncatedError):
            self._note(TruncatedError("the stream has no END block", offset=source.offset))
        self._progress.pass_over(self.header.chunks or 0)
        return None

    def _may_begin(self, head: bytes) -> bool:
        """True if an intact block may begin here, as far as can be seen without consuming it."""
        type_, size, head_bytes = head[0], 0, 1
        for place, byte in enumerate(head[1:]):
            size |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                head_bytes = 2 + place
                break
        # All of these have a body, so a stretch of zeros is skipped quickly.
        if head_bytes == 1 or not 0 < size <= self._searched_bytes[type_]:
            return False
        whole = head_bytes + size
        if type_ == END:
            return self._source.ahead(whole + 4, whole + 4 + len(MAGIC)) in (b"", MAGIC)
        end = self._source.ahead(whole - 1, whole + 4)  # the body's last byte, and the checksum
        if len(end) < 5:
            return False
        before = self._source.checksum(whole, self.header_bytes.seed)
        number = chunk_with(before, int.from_bytes(end[1:], "big"))
        if not 0 <= number - self._progress.chunk < SEARCHED_CHUNKS:
            return False
        try:
            self._progress.check_next(type_, number, size, end[:1])
        except CorruptError:
            return False
        return True

    def _note(self, error: CorruptError) -> None:
        """Keeps an error without its traceback, which would keep the data of its frames alive."""
        error.__context__ = None
        self.damage.append(error.with_traceback(None))

    def _skip_rubbish(self) -> None:
        """Skips to the next stream, or to the end of the file."""
        if self._source.peek(1) and not self._header_follows(newer_too=True):
            self._note(CorruptError(RUBBISH, offset=self._source.offset))
            while self._source.peek(1) and not self._header_follows():
                self._source.read(1)

    def _header_follows(self, newer_too: bool = False) -> bool:
        offset = self._source.offset
        if self._source.peek(len(MAGIC)) != MAGIC or offset == self._next_header:
            return offset == self._next_header
        self._source.mark()
        try:
            read_header(self._source)
        except UnsupportedError:
            return newer_too
        except MlcError:
            return False
        finally:
            self._source.rewind()
        self._next_header = offset
        return True


def read_streams(file: BinaryIO, conceal: bool = False) -> Iterator[Reader]:
    """Yields a reader for each stream of the file. Whatever the caller leaves unread is skipped."""
    source = Source(file)
    while True:
        reader = Reader(source, conceal)
        yield reader
        for _ in reader.blocks():
            pass
        if not source.peek(1) or (reader.end is None and not conceal):
            return
        if source.peek(len(MAGIC)) != MAGIC:
            raise CorruptError(RUBBISH, offset=source.offset)
