"""Conversions between files: opens the input, sends it through the codec, names the output when it is complete.

A file is a path, "-" for standard input or output, or a binary file object, which stays its owner's to close.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar

import mlcfile

from melcodec_cli.audio import FORMATS, AudioSink, RawFormat, format_for, open_sink, open_source
from melcodec_cli.audio.speakers import how_mixed
from melcodec_cli.codec.compression import Compression, CompressSettings
from melcodec_cli.codec.decompression import Decompression, DecompressSettings
from melcodec_cli.codec.pipeline import Engine, Stream
from melcodec_cli.codec.rows import Decoder
from melcodec_cli.errors import MelcodecError, MlcTruncated, UsageProblem, from_mlc_error
from melcodec_cli.files.atomic import output_file
from melcodec_cli.files.standard import standard_input, standard_output
from melcodec_cli.files.streams import STDIO
from melcodec_cli.models.choose import Models
from melcodec_cli.report.report import Record

DAMAGE_TOLD = 100  # places in a file
File: TypeAlias = str | os.PathLike[str] | BinaryIO
Notice: TypeAlias = Callable[[str, str], None]  # topic, of which one line a run is enough, and the line


Codec = TypeVar("Codec", bound=Stream[Any, Any])


class Conversion(Stream[Any, Any], Generic[Codec]):
    """One input and one output; `record` tells about it afterwards."""

    codec: Codec  # what is done between the two, once they are open

    def __init__(self, source: File, target: File, models: Models, notice: Notice, force: bool):
        self.source = source
        self.target = target
        self.record = Record(name_of(source), name_of(target))
        self.loading_s = 0.0  # of the time that the jobs took, what went into loading a model
        self._models = models
        self._notice = notice
        self._force = force
        self._files = ExitStack()

    def replace_output(self) -> None:
        """As if forced to: what is there is known to be this conversion's own."""
        self._force = True

    @property
    def engine(self) -> Engine:  # type: ignore[override]
        return self.codec.engine

    def jobs(self) -> Iterator[Any]:
        jobs = self._jobs()
        while True:
            loaded_s = self._models.loading_s
            try:
                job = next(jobs, None)
            finally:
                self.loading_s += self._models.loading_s - loaded_s
            if job is None:
                return
            yield job

    def _jobs(self) -> Iterator[Any]:
        self.live = not is_regular(self.source)
        try:
            self.codec = self._open()
            yield from self.codec.jobs()
        except mlcfile.MlcError as error:
            raise from_mlc_error(error, self.record.source) from error
        except MelcodecError as error:
            if error.path is not None:
                raise
            raise type(error)(error.message, self.record.source) from error

    def take(self, job: Any, result: Any) -> None:
        with self._writing():
            self.codec.take(job, result)

    def finish(self) -> None:
        with self._writing():
            self.codec.finish()
            self._describe()
            self._files.close()

    def discard(self, error: BaseException) -> None:
        with suppress(Exception):  # closing a file on a full disk fails once more
            self._files.__exit__(type(error), error, error.__traceback__)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Names the output in errors of the system, which otherwise would be taken for the input's."""
        try:
            yield
        except OSError as error:
            target = "standard output" if self.record.target == STDIO else self.record.target
            error.filename = error.filename or target
            raise

    @abstractmethod
    def _open(self) -> Codec:
        """Opens the files, so that they close with `_files`."""

    @abstractmethod
    def _describe(self) -> None:
        """Fills in the record."""

    def _open_target(self) -> BinaryIO:
        if not isinstance(self.target, str | os.PathLike):
            return self.target
        if self.target == STDIO:
            return standard_output()
        source = standard_input() if self.source == STDIO else self.source
        return self._files.enter_context(output_file(self.target, self._force, [source]))


class CompressConversion(Conversion[Compression]):
    """A recording to an .mlc file."""

    def __init__(
        self,
        source: File,
        target: File,
        models: Models,
        notice: Notice,
        force: bool,
        settings: CompressSettings,
        raw: RawFormat | None = None,
    ):
        super().__init__(source, target, models, notice, force)
        self._settings = settings
        self._raw = raw

    def _open(self) -> Compression:
        source = self._files.enter_context(open_source(self.source, self._raw))
        if source.channels > 1 and not self._settings.keep_channels:
            how = how_mixed(source.channels, source.speakers)
            self._notice("mix", f"{source.name}: {how}; --channels keep codes each")
        encoder = self._models.encoder(source.rate_hz, self._settings.effort)
        self.record.bundle = self._models.name_of(encoder)
        with self._writing():
            return Compression(source, self._open_target(), encoder, self._settings, self.live)

    def _describe(self) -> None:
        codec, record = self.codec, self.record
        record.rate_hz, record.channels = codec.header.rate_hz, codec.header.channels
        record.duration_s = codec.samples / codec.header.rate_hz
        record.mlc_bytes, record.payload_bits = codec.mlc_bytes, codec.payload_bits
        if codec.source.truncated:
            self._notice(record.source, f"{record.source}: holds less than its header says")


class DecompressConversion(Conversion[Decompression]):
    """An .mlc file to a recording, in the format `form` or the one that the target's suffix names."""

    def __init__(
        self,
        source: File,
        target: File,
        models: Models,
        notice: Notice,
        force: bool,
        settings: DecompressSettings,
        form: str | None = None,
        subtype: str | None = None,
        steps: int | None = None,
        copy_tags: bool = True,
    ):
        super().__init__(source, target, models, notice, force)
        self._settings = settings
        self._form = form or form_of(target)
        self._subtype = subtype
        self._steps = steps
        self._copy_tags = copy_tags

    def finish(self) -> None:
        super().finish()
        if self.codec.truncated:
            saved_s = f"{self.record.duration_s:.2f} s up to there were decoded"
            raise MlcTruncated(f"{self.codec.truncated}; {saved_s}", self.record.source)

    def _open(self) -> Decompression:
        file = self._open_source()
        return Decompression(file, self._open_sink, self._decoder_for, self._settings, self.live)

    def _open_source(self) -> BinaryIO:
        if not isinstance(self.source, str | os.PathLike):
            return self.source
        if self.source == STDIO:
            return standard_input()
        try:
            return self._files.enter_context(open(self.source, "rb"))
        except OSError as error:
            raise UsageProblem((error.strerror or str(error)).lower(), self.source) from error

    def _open_sink(self, rate_hz: int, channels: int, tags: Mapping[str, str]) -> AudioSink:
        FORMATS[self._form].check(rate_hz, channels, self._subtype)
        tags = tags if self._copy_tags else {}
        with self._writing():
            file = self._open_target()
            sink = open_sink(file, self._form, rate_hz, channels, subtype=self._subtype, tags=tags)
        self._files.push(lambda kind, error, trace: sink.abort() if error else None)
        return sink

    def _decoder_for(self, header: mlcfile.Header) -> Decoder:
        decoder = self._models.decoder(header, self._steps)
        self.record.bundle = self._models.name_of(decoder)
        return decoder

    def _describe(self) -> None:
        codec, record = self.codec, self.record
        assert codec.header is not None and codec.sink is not None
        record.rate_hz, record.channels = codec.rate_hz, codec.channels
        record.duration_s = codec.sink.samples / codec.rate_hz
        record.mlc_bytes, record.payload_bits = codec.mlc_bytes, codec.payload_bits
        record.lost_s = codec.lost_s
        if codec.truncated:
            return  # which says it all
        lines = [str(error) for error in codec.damage]
        lines += [f"lost {begin_s:.2f}-{end_s:.2f} s" for begin_s, end_s in codec.lost_s]
        if len(lines) > DAMAGE_TOLD:
            lines[DAMAGE_TOLD:] = [f"and damage in {len(lines) - DAMAGE_TOLD} more places"]
        for line in lines:
            self._notice(f"{record.source} {line}", f"{record.source}: {line}")


def name_of(file: File) -> str:
    """For messages and records."""
    return os.fspath(file) if isinstance(file, str | os.PathLike) else str(getattr(file, "name", STDIO))


def form_of(target: File) -> str:
    """The audio format that a name asks for; WAV where there is none."""
    return format_for(target) if isinstance(target, str | os.PathLike) and target != STDIO else "wav"


def is_regular(source: File) -> bool:
    """Whether all of it is there already, rather than being made while it is read."""
    if source == STDIO:
        return standard_input().seekable()
    if isinstance(source, str | os.PathLike):
        return not os.path.exists(source) or os.path.isfile(source)
    return source.seekable()
