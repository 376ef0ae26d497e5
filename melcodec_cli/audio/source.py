"""Reads audio: any file or pipe as blocks of float32 (frame, channel)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from melcodec_cli.audio.limits import usable_channels, usable_rate
from melcodec_cli.audio.pcm import Encoding, Samples, decode, first_unsound
from melcodec_cli.audio.speakers import NOWHERE, USUAL, Speaker
from melcodec_cli.audio.stream import ByteStream
from melcodec_cli.errors import AudioUnreadable


class AudioSource(ABC):
    """A recording that is read once, from start to end.

    `samples` is the number per channel: before reading, exact for PCM files, otherwise what the header says, and None
    if it says nothing (many pipes, some MP3 and FLAC). After the last block it is the number read, and `truncated` is
    true if more had been promised. By then, `tags` may also have gained tags that follow the audio in a pipe.
    """

    def __init__(self, name: str, rate_hz: int, channels: int, samples: int | None, tags: dict[str, str]):
        for problem in (usable_rate(rate_hz), usable_channels(channels)):
            if problem:
                raise AudioUnreadable(problem, name)
        self.name = name
        self.rate_hz = rate_hz
        self.channels = channels
        self.samples = samples
        self.tags = tags
        self.speakers: tuple[Speaker, ...] = USUAL.get(channels, NOWHERE)  # of each channel
        self.truncated = False
        self.listener: Callable[[Samples], None] | None = None  # gets every block before it is yielded
        self._resources = ExitStack()

    def blocks(self, frames: int) -> Iterator[Samples]:
        """Yield blocks of (1..frames, channel); from a pipe, as soon as anything arrives.

        Raises AudioUnreadable, with the place, for samples that are not sound: silence would go unnoticed.
        """
        delivered = 0
        while len(block := self._read(frames)):
            if unsound := first_unsound(block):
                frame, value = unsound
                place = f"the sample at {(delivered + frame) / self.rate_hz:.3f} s"
                raise AudioUnreadable(
                    f"{place} is {value:g}, which is not sound (full scale is 1)", self.name
                )
            delivered += len(block)
            if self.listener:
                self.listener(block)
            yield block
        self.truncated |= self.samples is not None and delivered < self.samples
        self.samples = delivered

    @abstractmethod
    def _read(self, frames: int) -> Samples:
        """Return the next block; at the end, one of no frames."""

    def close_with(self, file: BinaryIO) -> None:
        """Close the file together with this source."""
        self._resources.enter_context(file)

    def close(self) -> None:
        self._resources.close()

    def __enter__(self) -> "AudioSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PcmSource(AudioSource):
    """Reads uncompressed samples from a stream that has been read up to the end of its header."""

    def __init__(
        self,
        stream: ByteStream,
        rate_hz: int,
        channels: int,
        encoding: Encoding,
        data_bytes: int | None = None,
        tags: dict[str, str] | None = None,
    ):
        super().__init__(stream.name, rate_hz, channels, None, tags if tags is not None else {})
        self._stream = stream
        self._encoding = encoding
        self._frame_bytes = channels * encoding.width_bytes
        self._left_bytes = data_bytes
        self._partial = b""
        available = stream.left_bytes
        if available is not None:
            self.truncated = data_bytes is not None and data_bytes > available
            self._left_bytes = available if data_bytes is None else min(data_bytes, available)
        if self._left_bytes is not None:
            self.samples = self._left_bytes // self._frame_bytes
        stream.release()

    def _read(self, frames: int) -> Samples:
        data = self._partial
        while len(data) < self._frame_bytes:
            wanted = frames * self._frame_bytes - len(data)
            if self._left_bytes is not None:
                wanted = min(wanted, self._left_bytes)
            piece = self._stream.read_some(wanted) if wanted else b""
            if not piece:
                self._at_end()
                break
            if self._left_bytes is not None:
                self._left_bytes -= len(piece)
            data += piece
        whole = len(data) - len(data) % self._frame_bytes
        self._partial = data[whole:]
        return decode(data[:whole], self._encoding).reshape(-1, self.channels)

    def _at_end(self) -> None:
        """Called when the stream has passed the last sample."""
