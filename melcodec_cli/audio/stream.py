"""Reads bytes from a file or a pipe as soon as they arrive."""

import os
import tempfile
from typing import BinaryIO, cast

from melcodec_cli.errors import AudioUnreadable

PIECE_BYTES = 1 << 20
MAX_TAPE_BYTES = 1 << 20


class ByteStream:
    """Reads forward. Until `release()` it can go back to its start, even in a pipe, so that another reader can try."""

    def __init__(self, file: BinaryIO, name: str):
        self.name = name
        self._file = file
        # At most one system call, so that a pipe's bytes are read when they arrive, not when a buffer is full.
        # Unbuffered files have no read1; their read() does the same.
        self._read_once = getattr(file, "read1", file.read)
        self.seekable = file.seekable()
        self._start = file.tell() if self.seekable else 0
        self._tape: bytearray | None = None if self.seekable else bytearray()
        self._rewound = b""
        self._position = 0

    @property
    def left_bytes(self) -> int | None:
        """Bytes up to the end; None for a pipe."""
        if not self.seekable:
            return None
        here = self._file.tell()
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(here)
        return max(0, end - here)

    @property
    def position(self) -> int:
        """Bytes read or skipped since the start."""
        return self._position

    def read_some(self, size: int) -> bytes:
        """Read 1 to `size` bytes; none only at the end."""
        try:
            piece = self._rewound[:size] or self._read_once(size)
        except OSError as error:
            raise AudioUnreadable(f"cannot be read: {reason(error)}", self.name) from error
        self._rewound = self._rewound[size:]
        self._position += len(piece)
        if self._tape is not None:
            self._tape += piece
            if len(self._tape) > MAX_TAPE_BYTES:
                raise AudioUnreadable("no audio after the first MiB of its header", self.name)
        return piece

    def read(self, size: int) -> bytes:
        """Read `size` bytes; fewer only at the end."""
        pieces = []
        while size and (piece := self.read_some(min(size, PIECE_BYTES))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        if self.seekable:
            self.seek(self._position + size)
            return
        while size and (piece := self.read_some(min(size, PIECE_BYTES))):
            size -= len(piece)

    def seek(self, position: int) -> None:
        """Move to a position counted from the start; only in a seekable file."""
        self._file.seek(self._start + position)
        self._position = position

    def rewind(self) -> None:
        if self._tape is None:
            self.seek(0)
        else:
            self._rewound, self._tape, self._position = bytes(self._tape), bytearray(), 0

    def release(self) -> None:
        """Stop remembering what is read: rewinding is no longer possible."""
        self._tape = None

    def spool(self) -> BinaryIO:
        """Copy all that is left to a nameless temporary file, and return it at its start."""
        self.release()
        try:
            spooled = nameless_file()
            while piece := self.read_some(PIECE_BYTES):
                spooled.write(piece)
            spooled.seek(0)
        except OSError as error:
            folder = tempfile.gettempdir()
            raise AudioUnreadable(f"cannot be copied to {folder}: {reason(error)}", self.name) from error
        return spooled


def nameless_file() -> BinaryIO:
    """A temporary file that vanishes when it is closed or the process ends."""
    return cast(BinaryIO, tempfile.TemporaryFile(prefix="melcodec-"))


def reason(error: OSError) -> str:
    """The system's message without its number, in lower case like ours."""
    return (error.strerror or str(error)).lower()
