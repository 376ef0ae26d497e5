"""Exact reads from any file object, and the rewinding that a search for the next intact block needs."""

from __future__ import annotations

from typing import BinaryIO
from zlib import crc32


class Source:
    """Reads only what is asked for, so that a live stream's chunk is ready as soon as its bytes arrive."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = bytearray()  # bytes since the mark, and bytes peeked at
        self._next = 0  # index in the buffer of the next byte to read
        self._marked = False
        self.offset = 0  # bytes since the file was handed over
        self.vain_bytes = 0  # bytes that a search read without consuming them

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or fewer at the end of the file, without consuming them."""
        if self._next + size > len(self._buffer):
            self._fill(size)
        return bytes(self._buffer[self._next : self._next + size])

    def _fill(self, size: int) -> None:
        """Reads until the buffer holds the next `size` bytes, or all that are left."""
        while (missing := self._next + size - len(self._buffer)) > 0:
            piece = self._file.read(missing)  # raw files and sockets return less than asked
            if piece is None:
                raise BlockingIOError("an .mlc stream cannot be read from a non-blocking file")
            if not piece:
                break
            self._buffer += piece

    def read(self, size: int) -> bytes:
        data = self.peek(size)
        self._next += len(data)
        self.offset += len(data)
        if not self._marked:
            self._forget()
        return data

    def take(self, size: int) -> bytes:
        """Like `read`, but raises EOFError if the file ends too early."""
        data = self.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def checksum(self, size: int, seed: int) -> int:
        """The checksum of the next `size` bytes, which must be in the buffer and are not copied."""
        self.vain_bytes += size
        with memoryview(self._buffer) as view:
            return crc32(view[self._next : self._next + size], seed)

    def ahead(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`, counted from the next one; fewer at the end of the file."""
        if self._next + stop > len(self._buffer):
            self._fill(stop)
        return bytes(self._buffer[self._next + start : self._next + stop])

    def mark(self) -> None:
        """Keeps everything from here on, so that `rewind` can come back."""
        self._forget()
        self._marked = True

    def release(self) -> None:
        self._marked = False

    def rewind(self) -> None:
        """Goes back to the mark and releases it."""
        self.vain_bytes += self._next
        self.offset -= self._next
        self._next = 0
        self._marked = False

    def seekable(self) -> bool:
        return bool(getattr(self._file, "seekable", lambda: False)())

    def seek(self, offset: int) -> None:
        """Moves to an `offset` as this source counts it, forward or back."""
        taken = self.offset + len(self._buffer) - self._next
        self._file.seek(self._file.tell() + offset - taken)
        self._buffer.clear()
        self._next = 0
        self._marked = False
        self.offset = offset

    def _forget(self) -> None:
        del self._buffer[: self._next]
        self._next = 0
