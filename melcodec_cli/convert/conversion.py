"""Converts files: opens the input, runs it through the codec, and names the output when it is complete."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar

import mlcfile

from melcodec_cli.audio import FORMATS, AudioSink, open_sink, open_source
from melcodec_cli.audio.speakers import how_mixed
from melcodec_cli.codec.compression import Compression
from melcodec_cli.codec.decompression import Decompression
from melcodec_cli.codec.live_conversion import LiveCompression, LiveDecompression
from melcodec_cli.codec.pipeline import Engine, Stream
from melcodec_cli.codec.rows import Decoder, Encoder
from melcodec_cli.convert.music_hint import music_hint
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, File, Request, name_of
from melcodec_cli.errors import MelcodecError, MlcTruncated, UsageProblem, from_mlc_error
from melcodec_cli.files.atomic import output_file
from melcodec_cli.files.standard import standard_input, standard_output
from melcodec_cli.files.streams import STDIO
from melcodec_cli.models.choose import Models, rows_of
from melcodec_cli.report.record import Record
from melcodec_cli.systems.system import Model

DAMAGE_TOLD = 100  # places in a file
Notice: TypeAlias = Callable[[str, str], None]  # a topic, reported once per run, and the line to print


Asked = TypeVar("Asked", CompressRequest, DecompressRequest)
Codec = TypeVar("Codec", bound=Stream[Any, Any])


class Conversion(Stream[Any, Any], Generic[Asked, Codec]):
    """Converts one input to one output; `record` describes it afterwards."""

    codec: Codec  # converts, once both files are open

    def __init__(self, request: Asked, models: Models, notice: Notice):
        self.request: Asked = request
        self.record = Record(name_of(request.source), name_of(request.target))
        self.loading_s = 0.0  # the part of the jobs' time spent loading a model
        self._models = models
        self._notice = notice
        self._files = ExitStack()

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
        self.live = not is_regular(self.request.source)
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
        with suppress(Exception):  # closing a file on a full disk fails again
            self._files.__exit__(type(error), error, error.__traceback__)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Names the output in system errors, which otherwise would seem to be about the input."""
        try:
            yield
        except OSError as error:
            target = "standard output" if self.record.target == STDIO else self.record.target
            error.filename = error.filename or target
            raise

    @abstractmethod
    def _open(self) -> Codec:
        """Opens the files, and registers them in `_files` to be closed."""

    @abstractmethod
    def _describe(self) -> None:
        """Fills in the record."""

    def _open_target(self) -> BinaryIO:
        source, target = self.request.source, self.request.target
        if not isinstance(target, str | os.PathLike):
            return target
        if target == STDIO:
            return standard_output()
        inputs = [standard_input() if source == STDIO else source]
        return self._files.enter_context(output_file(target, self.request.force, inputs))


class CompressConversion(Conversion[CompressRequest, Compression | LiveCompression]):
    """Converts a recording to an .mlc file."""

    def _open(self) -> Compression | LiveCompression:
        request = self.request
        live = request.settings.packet_frames is not None
        source = self._files.enter_context(open_source(request.source, request.raw, live))
        settings = request.settings
        if source.channels > 1 and not settings.keep_channels:
            how = how_mixed(source.channels, source.speakers)
            self._notice("mix", f"{source.name}: {how}; --channels keep codes each of them")
        bundle = self._models.bundle_for_rate(source.rate_hz)
        if request.bits_per_s is not None:
            settings = replace(settings, rows=rows_of(bundle, request.bits_per_s))
        if settings.entropy and bundle.tables_id is None:
            raise UsageProblem(f"--entropy: {bundle.name} has no tables for entropy coding")
        encoder = self._models.encoder(bundle, request.options)
        self.record.bundle = bundle.name
        # Listening would hold up a live stream for some frames.
        self._hint = None if live else music_hint(source, bundle, self._notice)
        if live:
            model = model_alone(encoder)
            with self._writing():
                target, options = self._open_target(), request.options
                told = self._models.detail, partial(self._notice, "slow")
                return LiveCompression(source, target, model, settings, options, *told)
        with self._writing():
            return Compression(source, self._open_target(), encoder, settings, self.live)

    def _describe(self) -> None:
        codec, record = self.codec, self.record
        record.rate_hz, record.channels = codec.header.rate_hz, codec.header.channels
        record.duration_s = codec.samples / codec.header.rate_hz
        record.mlc_bytes, record.payload_bits = codec.mlc_bytes, codec.payload_bits
        if codec.source.truncated:
            self._notice(record.source, f"{record.source}: is shorter than its header says")
        if self._hint:
            self._hint.decide()


class DecompressConversion(Conversion[DecompressRequest, Decompression | LiveDecompression]):
    """Converts an .mlc file to a recording."""

    def finish(self) -> None:
        super().finish()
        if self.codec.truncated:
            saved_s = f"the {self.record.duration_s:.2f} s before that were decoded"
            raise MlcTruncated(f"{self.codec.truncated}; {saved_s}", self.record.source)

    def _open(self) -> Decompression | LiveDecompression:
        self._form = self.request.output_form  # refuses an unknown format before anything is read
        file = self._open_source()
        if self.request.settings.live:
            return LiveDecompression(
                file, self._open_sink, self._model_for, self.request.settings, self._models.detail
            )
        return Decompression(file, self._open_sink, self._decoder_for, self.request.settings, self.live)

    def _open_source(self) -> BinaryIO:
        source = self.request.source
        if not isinstance(source, str | os.PathLike):
            return source
        if source == STDIO:
            return standard_input()
        try:
            return self._files.enter_context(open(source, "rb"))
        except OSError as error:
            raise UsageProblem((error.strerror or str(error)).lower(), source) from error

    def _open_sink(self, rate_hz: int, channels: int, tags: Mapping[str, str]) -> AudioSink:
        form, subtype = self._form, self.request.subtype
        FORMATS[form].check(rate_hz, channels, subtype)
        tags = tags if self.request.copy_tags else {}
        with self._writing():
            sink = open_sink(self._open_target(), form, rate_hz, channels, subtype=subtype, tags=tags)
        self._files.push(lambda kind, error, trace: sink.abort() if error else None)
        return sink

    def _decoder_for(self, header: mlcfile.Header) -> Decoder:
        decoder = self._models.decoder(header, self.request.options)
        self.record.bundle = self._models.name_of(decoder)
        return decoder

    def _model_for(self, header: mlcfile.Header) -> Model:
        return model_alone(self._decoder_for(header))

    def _describe(self) -> None:
        codec, record = self.codec, self.record
        assert codec.header is not None and codec.sink is not None
        record.rate_hz, record.channels = codec.rate_hz, codec.channels
        record.duration_s = codec.sink.samples / codec.rate_hz
        record.mlc_bytes, record.payload_bits = codec.mlc_bytes, codec.payload_bits
        record.lost_s = codec.lost_s
        if codec.truncated:
            return  # the error says it all
        lines = [str(error) for error in codec.damage]
        lines += [f"lost {begin_s:.2f}-{end_s:.2f} s" for begin_s, end_s in codec.lost_s]
        if len(lines) > DAMAGE_TOLD:
            lines[DAMAGE_TOLD:] = [f"and damage in {len(lines) - DAMAGE_TOLD} more places"]
        for line in lines:
            self._notice(f"{record.source} {line}", f"{record.source}: {line}")


def conversion_of(request: Request, models: Models, notice: Notice) -> Conversion[Any, Any]:
    if isinstance(request, CompressRequest):
        return CompressConversion(request, models, notice)
    return DecompressConversion(request, models, notice)


def model_alone(engine: Encoder | Decoder) -> Model:
    """The model on one thread: a frame is too small for others to help."""
    import torch

    model = engine.model
    torch.set_num_threads(1)
    return model


def is_regular(source: File) -> bool:
    """True if the source is complete, rather than still being produced while it is read."""
    if source == STDIO:
        return standard_input().seekable()
    if isinstance(source, str | os.PathLike):
        return not os.path.exists(source) or os.path.isfile(source)
    return source.seekable()
