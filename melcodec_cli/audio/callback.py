"""Python files for libsndfile, which calls them from C."""

import os
from typing import BinaryIO


class CallbackFile:
    """Keeps exceptions raised during a call from C, where they would be printed and forgotten.

    After each use of libsndfile, `check()` raises what was kept: a full disk, a closed pipe, the user's Ctrl-C.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._error: BaseException | None = None

    def check(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except BaseException as error:
            self._error = error
            return b""

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except BaseException as error:
            self._error = error
            return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except BaseException as error:
            self._error = error
            return -1

    def tell(self) -> int:
        try:
            return self._file.tell()
        except BaseException as error:
            self._error = error
            return -1


class OverlongFile(CallbackFile):
    """A file that claims to be far longer than it is.

    Without a Xing header, libsndfile guesses an MP3's length from its size and the bitrate of its first frame, and
    stops there: in the middle of the recording if that frame was a big one. With this file, the guess lies beyond
    the end, so decoding goes on to the end.
    """

    FACTOR = 64  # more than 320 / 8 kbit/s, the largest ratio of two bitrates

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self._at_end = False

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at_end = whence == os.SEEK_END
        return super().seek(offset, whence)

    def tell(self) -> int:
        return super().tell() * (self.FACTOR if self._at_end else 1)
