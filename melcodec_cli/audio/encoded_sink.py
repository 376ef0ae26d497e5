"""Writes all formats but PCM through libsndfile: FLAC, Ogg Vorbis, Opus, MP3."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import BinaryIO, TypeVar

import numpy as np
import soundfile

from melcodec_cli.audio import tags as tag_names
from melcodec_cli.audio.callback import CallbackFile
from melcodec_cli.audio.formats import OutputFormat
from melcodec_cli.audio.pcm import Samples, quantise
from melcodec_cli.audio.sink import AudioSink, start_of
from melcodec_cli.audio.stream import nameless_file
from melcodec_cli.errors import UsageProblem

# A fixed block size: libvorbis starts differently on blocks of different sizes, and puts a whole block, however large,
# on the C stack.
ENCODER_FRAMES = 4096

Result = TypeVar("Result")


class EncodedSink(AudioSink):
    """Audio encoded by libsndfile, which must seek; so a pipe gets everything at the end."""

    def __init__(
        self,
        file: BinaryIO,
        form: OutputFormat,
        rate_hz: int,
        channels: int,
        subtype: str,
        tags: Mapping[str, str],
    ):
        super().__init__(channels)
        self._file = file
        self._form = form
        self._subtype = subtype
        self._held = np.zeros((0, channels), np.float32)  # less than ENCODER_FRAMES
        self._spool = None if start_of(file) == 0 else nameless_file()
        self._callback = CallbackFile(self._spool or file)
        self._sound = self._call(
            soundfile.SoundFile,
            self._callback,
            "w",
            rate_hz,
            channels,
            format=form.container,
            subtype=subtype,
        )
        self._call(tag_names.to_attributes, tags, self._sound)

    def _write(self, block: Samples) -> None:
        held = np.concatenate([self._held, block])
        whole = len(held) - len(held) % ENCODER_FRAMES
        for first in range(0, whole, ENCODER_FRAMES):
            self._call(self._sound.write, self._values(held[first : first + ENCODER_FRAMES]))
        self._held = held[whole:]

    def _values(self, block: Samples) -> np.ndarray:
        """The samples in a type that libsndfile passes on unchanged; its integers are left-aligned."""
        if self._subtype == "PCM_16":
            return quantise(block, 16).astype(np.int16)
        if self._subtype in ("PCM_24", "PCM_S8"):
            bits = 24 if self._subtype == "PCM_24" else 8
            return quantise(block, bits) << (32 - bits)
        return np.clip(block, -1, 1)

    def finish(self) -> None:
        if not (self.samples or self._form.holds_nothing):
            self.abort()
            raise UsageProblem(f"{self._form.name} cannot hold a recording of no samples; choose wav or ogg")
        self._call(self._sound.write, self._values(self._held))
        self._call(self._sound.close)
        if self._spool:
            with self._spool:
                self._spool.seek(0)
                shutil.copyfileobj(self._spool, self._file, 1 << 20)
        self._file.flush()

    def abort(self) -> None:
        with suppress(OSError):  # very likely the reason to abort, and already reported
            self._call(self._sound.close)
        if self._spool:
            self._spool.close()

    def _call(self, function: Callable[..., Result], *arguments: object, **options: object) -> Result:
        """Call libsndfile; raise an error of the file itself rather than what libsndfile makes of it."""
        try:
            result = function(*arguments, **options)
        except (soundfile.LibsndfileError, AssertionError) as error:  # it asserts that all was written
            self._callback.check()
            raise OSError(str(error)) from error
        self._callback.check()
        return result
