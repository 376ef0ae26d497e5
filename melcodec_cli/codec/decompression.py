"""Decompresses the streams of an .mlc file to one recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import mlcfile
import numpy as np
from numpy.typing import NDArray

from melcodec_cli.audio import AudioSink, mix_down
from melcodec_cli.codec.indices import IndexReader
from melcodec_cli.codec.pipeline import Stream
from melcodec_cli.codec.playback import Playback
from melcodec_cli.codec.rows import Decoder
from melcodec_cli.codec.segments import DecodeJob, IndexSegments
from melcodec_cli.errors import MlcCorrupt, Unsupported, UsageProblem

# Chunks are decoded whole, so this limits the memory that a stranger's file can demand.
MAX_CHUNK_S = 60.0
# Silence in place of lost chunks, beyond the length that could be read: a small file must not produce hours of it.
MAX_SILENCE_S = 3600.0
MAX_SILENCE_SAMPLES = 200_000_000  # all channels, at the output's rate: 35 minutes of stereo at 48 kHz


@dataclass(frozen=True)
class DecompressSettings:
    rate_hz: int | None = None  # None: the original's
    model_rate: bool = False  # the model's own, without resampling
    start_s: float = 0.0
    end_s: float | None = None
    conceal: bool = False  # put silence in place of lost chunks
    channels: int | None = None  # None: the original's
    live: bool = False  # a live stream, frame by frame

    def __post_init__(self) -> None:
        if self.live and (self.start_s or self.end_s is not None):
            raise UsageProblem("--start and --end cannot be combined with --live")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise UsageProblem(f"the end at {self.end_s:g} s is not after the start at {self.start_s:g} s")

    def rate_of(self, header: mlcfile.Header) -> int:
        """The output's rate, if this is the first stream's header."""
        return header.layout.model_rate_hz if self.model_rate else self.rate_hz or header.rate_hz

    def channels_of(self, header: mlcfile.Header) -> int:
        """The output's channel count, if this is the first stream's header."""
        found = header.channels if header.all_channels else 1
        if self.channels not in (None, 1, found) and found > 1:
            raise UsageProblem(
                f"{self.channels} channels cannot be made from {found}; --channels 1 mixes them"
            )
        return self.channels or header.channels

    def range_of(self, rate_hz: int) -> tuple[int, int | None]:
        """The first sample and the one after the last; None for the end."""
        return round(self.start_s * rate_hz), None if self.end_s is None else round(self.end_s * rate_hz)


class OpenSink(Protocol):
    def __call__(self, rate_hz: int, channels: int, tags: Mapping[str, str]) -> AudioSink: ...


class Decompression(Stream[DecodeJob, NDArray[np.float32]]):
    """Reads `file` and writes to the sink from `open_sink`. Their owners close them if it ends early."""

    engine: Decoder  # for the current stream

    def __init__(
        self,
        file: BinaryIO,
        open_sink: OpenSink,
        decoder_for: Callable[[mlcfile.Header], Decoder],
        settings: DecompressSettings,
        live: bool = False,
    ):
        self.live = live
        self.header: mlcfile.Header | None = None  # the first stream's
        self.rate_hz = self.channels = 0  # of the output
        self.truncated: mlcfile.TruncatedError | None = None
        self.damage: list[mlcfile.CorruptError] = []
        self.lost_s: list[list[float]] = []  # [from, to]
        self.mlc_bytes = self.payload_bits = 0  # read so far
        self.sink: AudioSink | None = None
        self._file = file
        self._open_sink = open_sink
        self._decoder_for = decoder_for
        self._settings = settings
        self._silence_s = 0.0  # lost minus read seconds, before the current stream
        self._playbacks: deque[Playback] = deque()  # of the streams that are not yet written completely

    def jobs(self) -> Iterator[DecodeJob]:
        settings = self._settings
        passed = 0  # samples of the output before the current stream
        for reader in self._streams():
            self._check(reader.header)
            if reader.header.tables_id is not None and self.engine.tables is not None:
                reader.use_tables(self.engine.tables)
            first, last = settings.range_of(self.rate_hz)
            last = None if last is None else last - passed
            playback = Playback(reader.header, self.rate_hz, first - passed, last)
            self._playbacks.append(playback)
            frames = IndexReader(reader)
            if self.sink is None:
                self.sink = self._sink_for(frames)
            if playback.is_wanted:
                yield from self._jobs_of(frames, playback, passed / self.rate_hz)
            else:
                self._count(frames)
            playback.ended = True
            if self.truncated or playback.samples is None or (last is not None and last <= playback.samples):
                return
            passed += playback.samples
        if settings.start_s * self.rate_hz > passed:
            raise UsageProblem(
                f"the start at {settings.start_s:g} s is beyond the end at {passed / self.rate_hz:.2f} s"
            )

    def take(self, job: DecodeJob, result: NDArray[np.float32]) -> None:
        while self._playbacks[0].ended and not self._playbacks[0].pending_jobs:
            self._write(self._playbacks.popleft().flush())
        self._playbacks[0].pending_jobs -= 1
        for block in self._playbacks[0].process(result):
            self._write(block)

    def finish(self) -> None:
        for playback in self._playbacks:
            self._write(playback.flush())
        assert self.sink is not None
        self.sink.finish()

    def _streams(self) -> Iterator[mlcfile.Reader]:
        try:
            yield from mlcfile.read_streams(self._file, self._settings.conceal)
        except mlcfile.CorruptError as error:  # in the data after a stream
            if self.header is None:
                raise
            if self._settings.conceal:
                self.damage.append(error)
            elif isinstance(error, mlcfile.TruncatedError):
                self.truncated = error
            else:
                raise

    def _check(self, header: mlcfile.Header) -> None:
        """Refuses a stream that cannot be decoded, before anything is loaded for it."""
        layout = header.layout
        if header.packet_frames is not None:
            raise UsageProblem("a live stream: decompress it with --live")
        chunk_s = layout.chunk_frames * layout.frame_samples / layout.model_rate_hz
        if chunk_s > MAX_CHUNK_S:
            raise Unsupported(
                f"chunks of {chunk_s:.0f} s are longer than the {MAX_CHUNK_S:.0f} s that can be decoded"
            )
        if self.header is None:
            self.header = header
            self.rate_hz = self._settings.rate_of(header)
            self.channels = self._settings.channels_of(header)
        elif header.channels != self.header.channels:
            raise Unsupported(f"a stream of {header.channels} channels follows one of {self.header.channels}")
        self.engine = self._decoder_for(header)

    def _sink_for(self, frames: IndexReader) -> AudioSink:
        if frames.truncated and frames.is_empty:
            raise frames.truncated  # nothing to save
        return self._open_sink(self.rate_hz, self.channels, frames.tags)

    def _jobs_of(self, frames: IndexReader, playback: Playback, begin_s: float) -> Iterator[DecodeJob]:
        """The jobs of one stream, which begins at `begin_s` of the recording."""
        segments, enough_frames = self._segments(frames.header, playback)
        samples_per_s = self.rate_hz * self.channels
        max_silence_s = min(MAX_SILENCE_S, MAX_SILENCE_SAMPLES / samples_per_s)
        try:
            for indices, globals_ in frames.frames_from(segments.first_needed_frame, self._file.seekable()):
                if self._silence_s + frames.silence_s > max_silence_s:
                    raise MlcCorrupt(f"more than {max_silence_s:.0f} s are missing: more than could be read")
                if indices.max() >= self.engine.shape.codewords:
                    raise MlcCorrupt(f"the index {indices.max()} is outside the model's codebook")
                yield from _counted(segments.push(indices, globals_), playback)
                if frames.next_frame >= enough_frames:
                    return
            if frames.end:
                playback.set_samples(frames.end.samples)
            else:
                playback.set_frames(frames.next_frame)
            yield from _counted(segments.finish(), playback)
        finally:
            self.truncated = frames.truncated
            self._silence_s += frames.silence_s
            self.damage += frames.damage
            self.lost_s += [[begin_s + lost_s for lost_s in span] for span in frames.lost_s]
            self._count(frames)

    def _count(self, frames: IndexReader) -> None:
        self.mlc_bytes += frames.read_bytes
        self.payload_bits += frames.payload_bits

    def _segments(self, header: mlcfile.Header, playback: Playback) -> tuple[IndexSegments, float]:
        """The stream's segments, and how many frames it takes to complete the chunks of the range."""
        chunk_frames = header.layout.chunk_frames
        reach = self.engine.reach
        segments = IndexSegments(
            header.coded_channels,
            header.layout.rows,
            header.globals_.count if header.globals_ else 0,
            chunk_frames,
            reach,
            playback.first_chunk * chunk_frames,
        )
        if playback.last_chunk is None:
            return segments, float("inf")
        return segments, (playback.last_chunk + 1) * chunk_frames + reach.after

    def _write(self, block: NDArray[np.float32]) -> None:
        """Writes a block (sample, coded channel)."""
        if self.sink is None or not len(block):
            return
        if block.shape[1] != self.channels:
            block = np.repeat(mix_down(block), self.channels, axis=1)
        self.sink.write(block)


def _counted(jobs: Iterator[DecodeJob], playback: Playback) -> Iterator[DecodeJob]:
    for job in jobs:
        playback.pending_jobs += 1
        yield job
