"""Live streams as conversions: a recording frame by frame to packets, and packets to a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Generic, TypeVar

import mlcfile
import numpy as np
from mlcfile.sink import write_all

from melcodec_cli.audio import AudioSink, AudioSource, mix_down
from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.codec.decompression import DecompressSettings, OpenSink
from melcodec_cli.codec.live import LiveDecoder, LiveEncoder
from melcodec_cli.codec.pipeline import Stream
from melcodec_cli.systems.system import Audio, Model, Options

In = TypeVar("In")
Out = TypeVar("Out")
Told = Callable[[str], None]
MOST_KEPT = 1000  # places of damage
JUDGED_PACKETS = 100  # after which a machine is known to be too slow


@dataclass(frozen=True)
class Piece(Generic[In]):
    """What has just arrived."""

    data: In
    frames: int = 1


@dataclass(frozen=True)
class WhenAsked(Generic[In, Out]):
    """Work that is done when its result is asked for: the next piece must not wait for a pool of threads."""

    run: Callable[[In], Out]
    data: In

    def results(self) -> Sequence[Out]:
        return [self.run(self.data)]

    def cancel(self) -> None:
        pass


@dataclass(frozen=True, eq=False)
class AtOnce(Generic[In, Out]):
    """The engine of a live stream."""

    run: Callable[[In], Out]
    window_frames: int = 1

    def start(self, jobs: Sequence[Piece[In]]) -> WhenAsked[In, Out]:
        (job,) = jobs
        return WhenAsked(self.run, job.data)


class LiveCompression(Stream[Piece[Audio], bytes]):
    """Reads `source` and writes `file`; the caller closes both."""

    live = True

    def __init__(
        self,
        source: AudioSource,
        file: BinaryIO,
        model: Model,
        settings: CompressSettings,
        options: Options,
        detail: Told,
        warn: Told,
    ) -> None:
        """warn: tells a user that this machine cannot keep up."""
        assert settings.packet_frames is not None
        self.source, self._file, self._detail, self._warn = source, file, detail, warn
        self.encoder = LiveEncoder(
            model, source.rate_hz, source.channels, settings.rows, settings.packet_frames, options
        )
        self.engine = AtOnce(self.encoder.push)
        self.header = self.encoder.header
        self.mlc_bytes = 0
        self._put(self.encoder.push(np.zeros(0, np.float32)))
        detail(
            f"{source.name}: live at {source.rate_hz} Hz, with a delay of {delay_text(self.encoder.delay_s)}"
        )

    @property
    def samples(self) -> int:
        """Samples per channel; known once the source has been read to its end."""
        assert self.source.samples is not None
        return self.source.samples

    @property
    def payload_bits(self) -> int:
        return self.encoder.packets * (self.header.packet_frames or 1) * self.header.frame_bits

    def jobs(self) -> Iterator[Piece[Audio]]:
        for block in self.source.blocks(self.encoder.frame_samples):
            yield Piece(mix_down(block, self.source.speakers)[:, 0])

    def take(self, job: Piece[Audio], result: bytes) -> None:
        if result:
            self._put(result)
        clock = self.encoder.clock
        if clock.packets == JUDGED_PACKETS:
            packet_s = self.encoder.frame_samples * (self.header.packet_frames or 1) / self.source.rate_hz
            took_s = clock.total_s / clock.packets
            if took_s > packet_s:
                hint = "; --effort 1 takes the least" if self.encoder.can_try else ""
                self._warn(
                    f"{self.source.name}: this machine is too slow: it takes {1000 * took_s:.0f} ms to compress"
                    f" {1000 * packet_s:.0f} ms, so the delay grows{hint}"
                )

    def finish(self) -> None:
        self._put(self.encoder.finish())
        self._detail(f"{self.source.name}: {self.encoder.clock}")

    def _put(self, data: bytes) -> None:
        write_all(self._file, data)
        self._file.flush()
        self.mlc_bytes += len(data)


class LiveDecompression(Stream[Piece[bytes], Audio]):
    """Reads `file` and writes to the sink from `open_sink`.  Their owners close them if it ends early."""

    live = True

    def __init__(
        self,
        file: BinaryIO,
        open_sink: OpenSink,
        model_for: Callable[[mlcfile.Header], Model],
        settings: DecompressSettings,
        detail: Told,
    ) -> None:
        self._file, self._open_sink, self._settings, self._detail = file, open_sink, settings, detail
        self.decoder = LiveDecoder(model_for, settings.rate_of)
        self.engine = AtOnce(self.decoder.push)
        self.sink: AudioSink | None = None
        self.rate_hz = self.channels = self.mlc_bytes = 0
        self.truncated: mlcfile.TruncatedError | None = None
        self.damage: list[mlcfile.CorruptError] = []
        self.lost_s: list[list[float]] = []
        self._lost_frames = 0

    @property
    def header(self) -> mlcfile.Header:
        return self.decoder.header

    @property
    def payload_bits(self) -> int:
        return (self.decoder.frames - self._lost_frames) * self.header.frame_bits

    def jobs(self) -> Iterator[Piece[bytes]]:
        while not self.decoder.begun:
            data = self._read()
            self.decoder.push(data) if data else self.decoder.finish()
        self._begin()
        while data := self._read():
            yield Piece(data)

    def take(self, job: Piece[bytes], result: Audio) -> None:
        self._put(result)
        self._note_damage()

    def finish(self) -> None:
        self._put(self.decoder.finish())
        self._note_damage()
        assert self.sink is not None
        self.sink.finish()
        self._detail(f"{self.decoder.clock}")

    def _read(self) -> bytes:
        data = self._file.read(self.decoder.wanted)
        self.mlc_bytes += len(data)
        return data

    def _begin(self) -> None:
        decoder = self.decoder
        self.rate_hz, self.channels = decoder.rate_hz, self._settings.channels_of(decoder.header)
        self.sink = self._open_sink(self.rate_hz, self.channels, {})
        self._detail(f"live at {self.rate_hz} Hz, with a delay of {delay_text(decoder.delay_s)}")

    def _put(self, audio: Audio) -> None:
        assert self.sink is not None
        if len(audio):
            self.sink.write(np.repeat(audio[:, None], self.channels, 1))

    def _note_damage(self) -> None:
        """Keeps the first places, and what is the same for all: a bad line must not fill the memory."""
        decoder, frame_s = self.decoder, self.header.chunk_start_s(1) / self.header.layout.chunk_frames
        for error in decoder.unpacker.damage:
            if isinstance(error, mlcfile.TruncatedError):
                self.truncated = error
            elif len(self.damage) < MOST_KEPT:
                self.damage.append(error)
        decoder.unpacker.damage.clear()
        for begin, end in decoder.lost:
            self._lost_frames += end - begin
            if self.lost_s and self.lost_s[-1][1] == begin * frame_s:
                self.lost_s[-1][1] = end * frame_s
            elif len(self.lost_s) < MOST_KEPT:
                self.lost_s.append([begin * frame_s, end * frame_s])
        decoder.lost.clear()


def delay_text(delay_s: float) -> str:
    return f"{1000 * delay_s:.1f} ms from microphone to loudspeaker, besides the time computed"
