"""Codes one channel live: samples in and bytes out, or bytes in and samples out, each as soon as it can be."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import cast

import mlcfile
import numpy as np
from mlcfile.header_bytes import read_header
from mlcfile.source import Source

from melcodec_cli.codec.concealment import Concealment
from melcodec_cli.codec.decompression import MAX_SILENCE_S
from melcodec_cli.errors import MlcCorrupt, Unsupported, UsageProblem
from melcodec_cli.systems.system import Audio, Model, Options, Shape, Streaming

CHUNK_S = 0.5  # after which there is a check
RECOGNISED_BYTES = 4  # what other files may begin with
NOTHING = np.zeros(0, np.float32)


class Clock:
    """What computing took, packet by packet."""

    def __init__(self) -> None:
        self.packets, self.total_s, self.longest_s = 0, 0.0, 0.0

    def count(self, began_s: float, packets: int) -> None:
        elapsed_s = time.perf_counter() - began_s
        self.packets += packets
        self.total_s += elapsed_s
        self.longest_s = max(self.longest_s, elapsed_s)

    def __str__(self) -> str:
        mean_s = self.total_s / max(1, self.packets)
        return f"computed for {1000 * mean_s:.1f} ms a packet, {1000 * self.longest_s:.1f} ms at most"


class LiveEncoder:
    """Turns samples (sample,) into the bytes of a live stream.  The first bytes are the header."""

    def __init__(
        self,
        model: Model,
        rate_hz: int,
        channels: int = 1,
        rows: int | None = None,
        packet_frames: int = 1,
        options: Options | None = None,
    ) -> None:
        """rate_hz: of the samples; channels: of which they are the mix; rows: sent of each frame, None: all."""
        system, shape = live_system(model, rate_hz), model.system.shape
        options = options or {}
        for name in options.keys() - {option.name for option in system.live_options}:
            raise UsageProblem(
                f"--{name} cannot be combined with --live: {model.name} cannot try others before a frame leaves"
            )
        self.header = live_header(model, rate_hz, channels, rows, packet_frames)
        self.frame_samples, self.can_try = system.shape.frame_samples, bool(system.live_options)
        self.delay_s = delay_s(system, self.header)
        self.clock = Clock()
        self.packets = 0
        self._session = system.open_encoder(rows or shape.rows, options)
        self._packer = mlcfile.Packer(self.header)
        self._ready = self._packer.header_bytes
        self._frames = np.zeros((0, rows or shape.rows), np.int64)  # of an incomplete packet

    def push(self, samples: Audio) -> bytes:
        """The bytes that these samples complete."""
        began_s, packets = time.perf_counter(), self.packets
        self._take(self._session.push(samples))
        if self.packets > packets:
            self.clock.count(began_s, self.packets - packets)
        return self._given()

    def finish(self) -> bytes:
        """The last packet, filled up with silence."""
        self._take(self._session.flush())
        if missing := -len(self._frames) % self._packer.packet_frames:
            self._take(self._session.push(np.zeros(missing * self.frame_samples, np.float32)))
        return self._given()

    def _take(self, indices: np.ndarray) -> None:
        step = self._packer.packet_frames
        self._frames = np.concatenate([self._frames, indices])
        while len(self._frames) >= step:
            self._ready += self._packer.pack(self._frames[None, :step])
            self._frames = self._frames[step:]
            self.packets += 1

    def _given(self) -> bytes:
        ready, self._ready = self._ready, b""
        return ready


class LiveDecoder:
    """Turns the bytes of a live stream, however they are cut, into samples (sample,).

    Lost frames keep their place in time.
    """

    header: mlcfile.Header  # once it has come
    rate_hz: int  # of the samples, once the header has come
    delay_s: float
    unpacker: mlcfile.Unpacker

    def __init__(
        self,
        model_for: Callable[[mlcfile.Header], Model],
        rate_of: Callable[[mlcfile.Header], int] = lambda header: header.rate_hz,
    ) -> None:
        """rate_of: what rate the output should have."""
        self.clock = Clock()
        self.begun = False
        self.frames = 0  # so far
        self.lost: list[list[int]] = []  # [from, to], in frames; whoever has read it may clear it
        self._lost_frames = 0
        self._model_for, self._rate_of = model_for, rate_of
        self._held = b""  # of an incomplete header

    @property
    def wanted(self) -> int:
        """How many bytes to push next: with fewer, nothing may come of them."""
        return self.unpacker.wanted if self.begun else max(1, RECOGNISED_BYTES - len(self._held))

    def push(self, data: bytes) -> Audio:
        """The samples that these bytes complete."""
        if not self.begun:
            self._held += data
            if not self._begin():
                return NOTHING
            data, self._held = self._held, b""
        began_s = time.perf_counter()
        pieces = self.unpacker.feed(data)
        heard = [self._heard(piece) for piece in pieces]
        if pieces:
            self.clock.count(began_s, len(pieces))
        return np.concatenate(heard) if heard else NOTHING

    def lose(self) -> Audio:
        """What to play for one packet that was lost on its way, with the check that it may have brought."""
        return self._heard(self.unpacker.lose())

    def finish(self) -> Audio:
        """The rest, at the end of the stream."""
        if not self.begun:
            raise MlcCorrupt("the stream ends within its header" if self._held else "the stream is empty")
        self.unpacker.finish()
        return self._concealment.finish()

    def _begin(self) -> bool:
        """Reads the header, if all of it is there."""
        source = Source(io.BytesIO(self._held))
        if len(self._held) < RECOGNISED_BYTES:
            return False
        try:
            header, header_bytes = read_header(source)
        except mlcfile.TruncatedError:
            return False
        except mlcfile.NotMlcError as error:
            what = (
                "" if "looks like" in str(error) else "; a live stream can be heard from its beginning only"
            )
            raise MlcCorrupt(f"{error}{what}") from None
        self._held = self._held[source.offset :]
        if header.packet_frames is None:
            raise UsageProblem("not a live stream: decompress it without --live")
        if header.coded_channels > 1:
            raise Unsupported(f"a live stream of {header.coded_channels} coded channels cannot be decoded")
        model = self._model_for(header)
        self.header, self.rate_hz = header, self._rate_of(header)
        system = live_system(model, self.rate_hz)
        self.delay_s = delay_s(system, header)
        self.unpacker = mlcfile.Unpacker(header, header_bytes)
        self._concealment = Concealment(system.open_decoder(), system.shape, system.latency_samples)
        self.begun = True
        return True

    def _heard(self, piece: mlcfile.Piece) -> Audio:
        begin, self.frames = self.frames, self.frames + piece.frames
        if piece.indices is None:
            self._lost_frames += piece.frames
            frame_s = self.header.layout.frame_samples / self.header.layout.model_rate_hz
            silent_s = (2 * self._lost_frames - self.frames) * frame_s  # beyond what could be read
            if silent_s > MAX_SILENCE_S:
                raise MlcCorrupt(f"more than {MAX_SILENCE_S:.0f} s are missing: more than could be read")
            if self.lost and self.lost[-1][1] == begin:
                begin = self.lost.pop()[0]
            self.lost.append([begin, self.frames])
            return self._concealment.lose(piece.frames)
        return self._concealment.play(piece.indices[0].astype(np.int64))


def live_system(model: Model, rate_hz: int) -> Streaming:
    """The model's system at this rate; UsageProblem says why it cannot be live."""
    if getattr(model.system, "latency_samples", None) is None:
        raise UsageProblem(f"--live: {model.name} codes whole chunks, not frame by frame; use another model")
    system = cast(Streaming, model.system)
    if rate_hz not in system.live_rates_hz:
        rates = " or ".join(map(str, system.live_rates_hz))
        raise UsageProblem(
            f"--live: {model.name} takes {rates} Hz, not {rate_hz}: resampling would add 70 ms of delay and more"
        )
    return system.at_rate(rate_hz)


def live_header(
    model: Model, rate_hz: int, channels: int, rows: int | None, packet_frames: int
) -> mlcfile.Header:
    shape: Shape = model.system.shape
    at_once = max(1, packet_frames)  # whatever was asked for, which the header refuses if it is not possible
    chunk_frames = at_once * max(1, round(CHUNK_S * shape.frames_per_s / at_once))
    try:
        return mlcfile.Header(
            bitstream_id=model.bitstream_id,
            renderer_id=model.renderer_id,
            rate_hz=rate_hz,
            channels=channels,
            samples=None,
            layout=shape.layout(chunk_frames, rows),
            packet_frames=packet_frames,
        )
    except ValueError as error:
        raise UsageProblem(f"--live: {error}") from None


def delay_s(system: Streaming, header: mlcfile.Header) -> float:
    """How long a sample takes from the encoder's input to the decoder's output, if computing took no time."""
    waiting_samples = ((header.packet_frames or 1) - 1) * system.shape.frame_samples
    return (system.latency_samples + waiting_samples) / system.shape.rate_hz
