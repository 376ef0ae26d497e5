"""Compresses one recording to one stream of an .mlc file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import mlcfile

from melcodec_cli.audio import AudioSource, Resampler, mix_down
from melcodec_cli.codec.pipeline import Stream
from melcodec_cli.codec.rows import ChunkCodes, Encoder
from melcodec_cli.codec.segments import AudioSegments, EncodeJob
from melcodec_cli.errors import AudioUnreadable, UsageProblem

MIN_CHUNK_S, MAX_CHUNK_S = 0.5, 60.0


@dataclass(frozen=True)
class CompressSettings:
    keep_channels: bool = False  # code every channel; otherwise only their mix
    chunk_s: float | None = None  # None: the profile's own
    copy_tags: bool = True
    rows: int | None = None  # how many indices of each frame are sent; None: all
    entropy: bool | None = None  # code the indices with the model's tables; None: if it has any
    packet_frames: int | None = None  # frames that a live stream sends at once; None: it is not live

    def __post_init__(self) -> None:
        if self.chunk_s is not None and not MIN_CHUNK_S <= self.chunk_s <= MAX_CHUNK_S:
            raise UsageProblem(
                f"chunks of {self.chunk_s:g} s are outside {MIN_CHUNK_S:g} to {MAX_CHUNK_S:g} s"
            )
        if self.packet_frames is not None:
            chosen = {
                "--channels keep": self.keep_channels,
                "--chunk-seconds": self.chunk_s is not None,
                "--entropy": self.entropy,
            }
            if unfit := [option for option, is_there in chosen.items() if is_there]:
                raise UsageProblem(f"{unfit[0]} cannot be combined with --live")


class Compression(Stream[EncodeJob, ChunkCodes]):
    """Reads `source` and writes `file`; the caller closes both."""

    engine: Encoder

    def __init__(
        self,
        source: AudioSource,
        file: BinaryIO,
        encoder: Encoder,
        settings: CompressSettings,
        live: bool = False,
    ):
        self.live = live
        self.engine = encoder
        self.source = source
        self._settings = settings
        # A pipe's header cannot be trusted about the length.
        samples = None if live else source.samples
        tables = None if settings.entropy is False else encoder.tables
        self.header = header_for(encoder, source, samples, settings, None if tables is None else tables.id)
        self._file = file if file.seekable() else cast(BinaryIO, _Pipe(file))
        self._start = file.tell() if file.seekable() else 0
        self._writer = mlcfile.Writer(self._file, self.header, tables)
        self._tags_written = dict(source.tags) if settings.copy_tags else {}
        if self._tags_written:
            self._writer.write_tags(self._tags_written)

    @property
    def samples(self) -> int:
        """Samples per channel; known once the source has been read to its end."""
        assert self.source.samples is not None
        return self.source.samples

    @property
    def mlc_bytes(self) -> int:
        """Bytes written so far."""
        return self._file.size if isinstance(self._file, _Pipe) else self._file.tell() - self._start

    @property
    def payload_bits(self) -> int:
        """Bits of indices and global indices written so far."""
        return self._writer.payload_bits

    def jobs(self) -> Iterator[EncodeJob]:
        source, layout = self.source, self.header.layout
        channels = self.header.coded_channels
        resampler = Resampler(source.rate_hz, layout.model_rate_hz, channels)
        reach = self.engine.shape.encode
        segments = AudioSegments(channels, layout.chunk_frames, layout.frame_samples, reach, layout.rows)
        for block in source.blocks(source.rate_hz):
            yield from segments.push(
                resampler.process(block if self.header.all_channels else mix_down(block, source.speakers)).T
            )
        if self.header.samples not in (None, self.samples):
            raise AudioUnreadable(f"ends after {self.samples} of {self.header.samples} samples", source.name)
        yield from segments.push(resampler.flush().T)
        yield from segments.finish(self.header.frames_of(self.samples))

    def take(self, job: EncodeJob, result: ChunkCodes) -> None:
        self._writer.write_chunk(result.indices[:, :, : self.header.layout.rows], result.globals_)

    def finish(self) -> None:
        # A pipe may have tags after its audio.
        late = {key: value for key, value in self.source.tags.items() if key not in self._tags_written}
        if self._settings.copy_tags and late:
            self._writer.write_tags(late)
        self._writer.finish(self.samples)


def header_for(
    encoder: Encoder,
    source: AudioSource,
    samples: int | None,
    settings: CompressSettings,
    tables_id: bytes | None = None,
) -> mlcfile.Header:
    shape, model = encoder.shape, encoder.model
    chunk_frames = shape.chunk_frames
    if settings.chunk_s is not None:
        chunk_frames = max(1, round(settings.chunk_s * shape.frames_per_s))
    return mlcfile.Header(
        bitstream_id=model.bitstream_id,
        renderer_id=model.renderer_id,
        rate_hz=source.rate_hz,
        channels=source.channels,
        samples=samples,
        all_channels=settings.keep_channels and source.channels > 1,
        layout=shape.layout(chunk_frames, settings.rows),
        globals_=shape.globals_,
        tables_id=tables_id,
    )


class _Pipe:
    """Counts the bytes written to a file that cannot report its position."""

    def __init__(self, file: BinaryIO):
        self.size = 0
        self._file = file

    def write(self, data: memoryview) -> int:
        written = self._file.write(data)
        self.size += written
        return written

    def flush(self) -> None:
        self._file.flush()
