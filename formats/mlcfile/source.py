"""Exact reads from any file object, and the way back that a search for the next sound block needs."""

from __future__ import annotations

from typing import BinaryIO
from zlib import crc32


class Source:
    """Takes just what is asked for, so that a live stream's chunk is there as soon as its bytes are."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = bytearray()  # bytes since the mark, and bytes peeked at
        self._next = 0  # place in the buffer of the byte that is read next
        self._marked = False
        self.offset = 0  # bytes since the start of what we were given
        self.vain_bytes = 0  # that were gone over without being taken for good

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or fewer when the file ends before, without taking them."""
        if self._next + size > len(self._buffer):
            self._fill(size)
        return bytes(self._buffer[self._next : self._next + size])

    def _fill(self, size: int) -> None:
        """Has the next `size` bytes in the buffer, or all that there are."""
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
        """As `read`, but EOFError where the file ends before."""
        data = self.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def checksum(self, size: int, seed: int) -> int:
        """Of the next `size` bytes, which were peeked at and are not copied."""
        self.vain_bytes += size
        with memoryview(self._buffer) as view:
            return crc32(view[self._next : self._next + size], seed)

    def ahead(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`, counted from the next one; fewer when the file ends before."""
        if self._next + stop > len(self._buffer):
            self._fill(stop)
        return bytes(self._buffer[self._next + start : self._next + stop])

    def mark(self) -> None:
        """From here on all is kept, so that `rewind` can return to this place."""
        self._forget()
        self._marked = True

    def release(self) -> None:
        self._marked = False

    def rewind(self) -> None:
        """Back to the mark, which is released."""
        self.vain_bytes += self._next
        self.offset -= self._next
        self._next = 0
        self._marked = False

    def seekable(self) -> bool:
        return bool(getattr(self._file, "seekable", lambda: False)())

    def seek(self, offset: int) -> None:
        """To an `offset` as counted by this source, forward or back."""
        taken = self.offset + len(self._buffer) - self._next
        self._file.seek(self._file.tell() + offset - taken)
        self._buffer.clear()
        self._next = 0
        self._marked = False
        self.offset = offset

    def _forget(self) -> None:
        del self._buffer[: self._next]
        self._next = 0
