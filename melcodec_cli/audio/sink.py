"""Writes audio: blocks of float32 (frame, channel) to a file or pipe in any of the formats."""

import os
from abc import ABC, abstractmethod
from typing import BinaryIO

from melcodec_cli.audio.pcm import Encoding, Samples, encode, scrub
from melcodec_cli.audio.wav_header import WavHeader


class AudioSink(ABC):
    """A recording being written. The caller closes the file, and removes it after `abort()`.

    As a context manager it calls `finish()` if all went well, else `abort()`.
    """

    def __init__(self, channels: int):
        self.channels = channels
        self.samples = 0  # written so far, per channel

    def write(self, block: Samples) -> None:
        """Write (frame, channel). What is beyond full scale is clipped; what is not sound becomes 0."""
        if block.ndim != 2 or block.shape[1] != self.channels:
            raise ValueError(f"a block of shape {block.shape} for {self.channels} channels")
        self._write(scrub(block))  # NaN makes encoders crash
        self.samples += len(block)

    @abstractmethod
    def _write(self, block: Samples) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Write what is still held back and correct the header."""

    @abstractmethod
    def abort(self) -> None:
        """Give up; the file is then worthless."""

    def __enter__(self) -> "AudioSink":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.finish()
        else:
            self.abort()


class PcmSink(AudioSink):
    """Writes uncompressed samples, after a WAV header or without one; a pipe gets each block at once."""

    def __init__(
        self, file: BinaryIO, channels: int, encoding: Encoding, samples: int | None, header: WavHeader | None
    ):
        super().__init__(channels)
        self._file = file
        self._encoding = encoding
        self._header = header
        self._promised = samples
        self._start = start_of(file)
        if header:
            self._put(header.to_bytes(samples))

    def _write(self, block: Samples) -> None:
        self._put(encode(block, self._encoding))

    def finish(self) -> None:
        if self._header:
            self._put(b"\0" * (self.samples * self._header.frame_bytes % 2))
            if self._start is not None and self.samples != self._promised:
                end = self._file.tell()
                self._file.seek(self._start)
                self._put(self._header.to_bytes(self.samples))
                self._file.seek(end)
        self._file.flush()

    def abort(self) -> None:
        """Do nothing: no data is held back."""

    def _put(self, data: bytes) -> None:
        _write_all(self._file, data)
        if self._start is None:
            self._file.flush()


def start_of(file: BinaryIO) -> int | None:
    """The position in the file where writing begins; None if written bytes cannot be changed."""
    if not file.seekable():
        return None
    try:
        import fcntl

        if fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_APPEND:
            return None  # "melcodec ... >> file": every write goes to the end, despite seeks
    except (OSError, ImportError):
        pass  # not a file with a descriptor, or no fcntl on this system
    return file.tell()


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of `data`; an unbuffered file may take it in pieces."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
