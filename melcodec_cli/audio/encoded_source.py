"""Reads all other formats through libsndfile: FLAC, Ogg, Opus, MP3, AIFF, CAF, companded WAV and more."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import soundfile

from melcodec_cli.audio import tags
from melcodec_cli.audio.callback import CallbackFile, OverlongFile
from melcodec_cli.audio.foreign import LONGEST, foreign_format, how_to_convert
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.source import AudioSource
from melcodec_cli.audio.speakers import OGG
from melcodec_cli.errors import AudioUnreadable

UNRECOGNISED = 1  # libsndfile's error number
UNKNOWN_FRAMES = 1 << 62  # libsndfile reports 2^63 - 1


class Forward(soundfile.SoundFile):
    """A file that only reads on: soundfile seeks after every read of a seekable one, and decoders then start over."""

    def seekable(self) -> bool:
        return False


class EncodedSource(AudioSource):
    """Decodes a regular file from start to end; the caller closes the file."""

    def __init__(self, file: BinaryIO, name: str):
        self._overlong: OverlongFile | None = None
        self._start = os.pread(file.fileno(), LONGEST, 0)
        with self._translated(name):
            self._sound = self._open(file)
        samples: int | None = self._sound.frames
        if self._sound.format == "MP3" and not _tells_its_length(file.fileno()):
            self._sound.close()
            self._overlong = OverlongFile(file)
            with self._translated(name):
                self._sound = self._open(file, self._overlong)
            samples = None
        elif self._sound.frames >= UNKNOWN_FRAMES:
            samples = None
        found = tags.from_attributes(self._sound)
        super().__init__(name, self._sound.samplerate, self._sound.channels, samples, found)
        if self._sound.format == "OGG":
            self.speakers = OGG[self.channels]

    def _open(self, file: BinaryIO, callback: CallbackFile | None = None) -> soundfile.SoundFile:
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        return Forward(callback or file.fileno(), closefd=False)

    def _read(self, frames: int) -> Samples:
        block = np.empty((frames, self.channels), np.float32)
        with self._translated(self.name):
            return self._sound.read(out=block)

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """Turn libsndfile's errors into ours."""
        try:
            yield
        except soundfile.LibsndfileError as error:
            if self._overlong:
                self._overlong.check()
            if foreign := foreign_format(self._start):
                raise AudioUnreadable(how_to_convert(foreign, name), name) from error
            if error.code == UNRECOGNISED:
                hint = "convert it to wav or flac, or describe bare samples with --raw"
                raise AudioUnreadable(f"not a known audio format; {hint}", name) from error
            sentence = error.error_string.rstrip(".").lower()
            raise AudioUnreadable(f"the audio cannot be decoded: {sentence}", name) from error
        if self._overlong:
            self._overlong.check()

    def close(self) -> None:
        self._sound.close()
        super().close()


def _tells_its_length(mp3: int) -> bool:
    """True if the first frame is not sound but a Xing (or "Info") header with the number of frames."""
    # pread, because the decoder that has the file open shares its position.
    tag = os.pread(mp3, 10, 0)
    start = 0
    if tag[:3] == b"ID3":
        for byte in tag[6:]:  # seven bits each
            start = start << 7 | byte
        start += len(tag)
    header = os.pread(mp3, 200, start)
    for magic in (b"Xing", b"Info"):
        flags = header.find(magic) + len(magic) + 3
        if magic in header and flags < len(header):
            return bool(header[flags] & 1)
    return False
