"""Reads streams from any file object, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from .blocks import (
    ANCILLARY,
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
    read_raw_block,
)
from .errors import CorruptError, MlcError, TruncatedError, UnsupportedError
from .header import MAX_CHUNKS
from .header_bytes import MAGIC, read_header
from .progress import Progress
from .source import Source
from .tags import Tags

RUBBISH = "what follows the stream is no other stream"
SEARCHED_CHUNKS = 64  # how far beyond the last sound chunk the number of the next one is looked for
# A search that goes over this many bytes for each byte of the file is in one that was made to keep it busy: what looks
# like a block by its size is none, thousands of times over. Chance comes nowhere near.
VAIN_BYTES_FREE, VAIN_BYTES_EACH = 64 << 20, 1024


class Reader:
    """Iterating yields the stream's chunks; `blocks` yields all that it holds.

    Takes no byte more from the file than the blocks it has yielded. With `conceal`, damage is not raised but
    gathered in `damage`, and reading goes on at the next sound block; `lost` has the missing chunk numbers.
    """

    def __init__(self, file: BinaryIO | Source, conceal: bool = False) -> None:
        self._source = file if isinstance(file, Source) else Source(file)
        self.conceal = conceal
        self.damage: list[CorruptError] = []
        self.offset = self._source.offset  # of the header's first byte
        self.header, self.header_bytes = read_header(self._source)
        self._progress = Progress(self.header, self.header_bytes.seed)
        # Offset and size of chunk 0, and the state before it.
        self._first_chunk: tuple[int, int, Progress] | None = None
        self._done = False
        self._next_header = -1  # offset of one that was seen to follow
        # The longest bodies of what a search looks for.
        self._searched_bytes = {type_: max_body_bytes(type_, self.header) for type_ in (CODES, END)}
        self._searched_bytes[GLOBAL] = max_body_bytes(GLOBAL, self.header) if self.header.globals_ else 0

    @property
    def tags(self) -> Tags:
        """Of the blocks read so far."""
        return self._progress.tags

    @property
    def lost(self) -> list[range]:
        """Numbers of the chunks that damage has cost so far."""
        return self._progress.lost

    @property
    def end(self) -> End | None:
        """Totals and digest, once their block was read."""
        return self._progress.end

    def __iter__(self) -> Iterator[Chunk]:
        for block in self.blocks():
            if isinstance(block.content, Chunk):
                yield block.content

    def blocks(self) -> Iterator[Block]:
        """Every block that has not been read yet, END included."""
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

    def seek_chunk(self, number: int) -> None:
        """Makes `number`, or with `conceal` the next sound one, the next chunk to be read of a seekable file.

        Chunks of fixed width lie where arithmetic says, so that only chunk 0 and the one sought are read.
        Where other blocks lie between, or damage, the stream is read over from its beginning. The end of a
        stream of unknown length can be sought too.
        """
        if not self._source.seekable():
            raise ValueError("the file cannot be seeked")
        if not 0 <= number < (MAX_CHUNKS if self.header.chunks is None else self.header.chunks):
            raise ValueError(f"there is no chunk {number}")
        while self._first_chunk is None and next(self.blocks(), None):
            pass
        if not self._jump_to(number):
            self._walk_to(number)
        if self._done and self._progress.chunk <= number:
            raise ValueError(f"there is no chunk {number}")

    def _jump_to(self, number: int) -> bool:
        """Whether the chunk lies where it must if only full chunks lie between it and chunk 0."""
        if self._first_chunk is None:
            return False
        offset, size, progress = self._first_chunk
        self._source.seek(offset + number * size)
        self._source.mark()
        try:
            raw = read_raw_block(self._source, self.header)
        except CorruptError:
            return False
        self._source.rewind()
        self._progress, self._done = progress.at_chunk(number), False
        return raw.type == CODES and raw.matches(number, self.header_bytes.seed)

    def _walk_to(self, number: int) -> None:
        self._source.seek(self.offset + len(self.header_bytes.data))
        self._progress, self._done = Progress(self.header, self.header_bytes.seed), False
        self.damage.clear()
        while self._progress.chunk < number and (block := next(self.blocks(), None)):
            if block.type == CODES and block.chunk > number:  # taken already, as the one sought is lost
                self._source.seek(block.offset)
                self._progress = replace(self._progress.at_chunk(block.chunk), lost=self.lost)

    def _read_block(self, searched_chunks: int = 1) -> Block:
        """The block that begins here, if it belongs to one of so many chunks from the next one on."""
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
        """The number with which the block's checksum is right."""
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
            self._note(error)  # where it ends is beyond doubt, so nothing need be searched for
            return None
        if before is not None:
            self._first_chunk = offset, self._source.offset - offset, before
        return content

    def _take_end(self, raw: RawBlock) -> End:
        """After damage the digest may be no help; then what follows tells END from a zero byte."""
        if self.damage and self._source.peek(len(MAGIC)) not in (b"", MAGIC):
            raise CorruptError("the END block is followed by what is no other stream")
        return self._progress.take_end(raw, damaged=bool(self.damage))

    def _find_block(self) -> Block | None:
        """The next sound block at whatever byte, once damage has been met; None where the stream stops."""
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
                    self._note(CorruptError("too much looks like a block and is none", offset=source.offset))
                    break
            elif self._header_follows():
                break
            source.read(1)
        if not isinstance(self.damage[-1], TruncatedError):
            self._note(TruncatedError("the stream has no END block", offset=source.offset))
        self._progress.pass_over(self.header.chunks or 0)
        return None

    def _may_begin(self, head: bytes) -> bool:
        """Whether a sound block may begin here: all that can be told without reading it for good."""
        type_, size, head_bytes = head[0], 0, 1
        for place, byte in enumerate(head[1:]):
            size |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                head_bytes = 2 + place
                break
        # None is without a body, so a wiped stretch of zeros is passed over quickly.
        if head_bytes == 1 or not 0 < size <= self._searched_bytes[type_]:
            return False
        whole = head_bytes + size
        if type_ == END:
            return self._source.ahead(whole + 4, whole + 4 + len(MAGIC)) in (b"", MAGIC)
        end = self._source.ahead(whole - 1, whole + 4)  # of the body, and the checksum
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
        """Keeps an error without the frames that it was raised in, and so without their bytes."""
        error.__context__ = None
        self.damage.append(error.with_traceback(None))

    def _skip_rubbish(self) -> None:
        """To the next stream, or the end of the file."""
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
    """A reader for each of the streams that lie one after the other; what one leaves unread is read over."""
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
