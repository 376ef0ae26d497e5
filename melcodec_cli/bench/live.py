"""Measures a live stream: processor time of a frame, streams that a core can carry, and the delay of a paced pipe."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.codec.live import LiveDecoder, LiveEncoder
from melcodec_cli.layers.threads import one_thread
from melcodec_cli.systems.system import Model

Audio = NDArray[np.float32]
WARM_UP_FRAMES = 40
Item = TypeVar("Item")
SAMPLE_BYTES = 4  # f32le, which the pipe carries
PATIENCE_S = 30.0


@dataclass(frozen=True)
class LiveFigures:
    """What a live stream takes; the field names are the keys of `--json`."""

    frame_s: float
    delay_s: float  # without computing time
    encode_s: float  # processor time of a frame, on one thread, median
    decode_s: float
    encoded_streams: int  # that one core keeps up with
    decoded_streams: int


@dataclass(frozen=True)
class PipeFigures:
    """The time from a frame's last sample going into the pipe until the audio that it completes comes out."""

    median_s: float
    late_s: float  # only one frame in twenty takes longer
    longest_s: float
    frames: int


def measure_sessions(model: Model, audio: Audio) -> LiveFigures:
    """audio (sample,) at the model's rate."""
    with one_thread():
        encoder, decoder = LiveEncoder(model, model.system.shape.rate_hz), LiveDecoder(lambda header: model)
        hop = encoder.frame_samples
        packets: list[bytes] = []
        encode_s = _each(
            [audio[at : at + hop] for at in range(0, len(audio) - hop + 1, hop)],
            lambda frame: packets.append(encoder.push(frame)),
        )
        decode_s = _each(packets, decoder.push)
    frame_s = hop / model.system.shape.rate_hz
    return LiveFigures(
        frame_s, encoder.delay_s, encode_s, decode_s, int(frame_s / encode_s), int(frame_s / decode_s)
    )


def _each(items: Sequence[Item], work: Callable[[Item], object]) -> float:
    """Median of the processor time of an item, after a few to warm up."""
    times = []
    for item in items:
        began_s = time.process_time()
        work(item)
        times.append(time.process_time() - began_s)
    return statistics.median(times[min(WARM_UP_FRAMES, len(times) // 2) :])


def measure_pipe(bundle: str, rate_hz: int, frame_samples: int, audio: Audio) -> PipeFigures:
    """Feed `compress --live | decompress --live`, two processes of one thread each, as fast as a microphone would."""
    common = ["--live", "-q", "--threads", "1", "--bundle", bundle, "--raw"]
    melcodec = [sys.executable, "-m", "melcodec_cli"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    sending = subprocess.Popen(
        [*melcodec, "compress", *common, "--rate", str(rate_hz), "--format", "f32le", "-", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=environment,
    )
    receiving = subprocess.Popen(
        [*melcodec, "decompress", *common, "--format", "f32le", "-", "-"],
        stdin=sending.stdout,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=environment,
    )
    assert sending.stdin and sending.stdout and receiving.stdout
    sending.stdout.close()  # the other process has it
    arrivals: list[tuple[float, int]] = []  # when, and how many samples there were by then
    listener = Thread(target=_listen, args=(receiving.stdout.fileno(), arrivals), daemon=True)
    listener.start()
    frame_bytes = frame_samples * SAMPLE_BYTES
    data = audio.astype("<f4").tobytes()
    frames = [data[at : at + frame_bytes] for at in range(0, len(data) - frame_bytes + 1, frame_bytes)]
    try:
        for frame in frames[:WARM_UP_FRAMES]:  # as fast as it can: both processes load their model meanwhile
            sending.stdin.write(frame)
        _await(lambda: bool(arrivals) and time.perf_counter() - arrivals[-1][0] > 1)
        sent_s, due_s = [], time.perf_counter()
        for frame in frames[WARM_UP_FRAMES:]:
            due_s += frame_samples / rate_hz
            time.sleep(max(0.0, due_s - time.perf_counter()))
            sent_s.append(time.perf_counter())
            sending.stdin.write(frame)
        _await(lambda: time.perf_counter() - arrivals[-1][0] > 1)
        in_time = list(arrivals)
    finally:
        sending.stdin.close()
        sending.wait(PATIENCE_S)
        receiving.wait(PATIENCE_S)
        listener.join(PATIENCE_S)
        receiving.stdout.close()
    return _delays(sent_s, in_time, frame_samples)


def _delays(sent_s: Sequence[float], arrivals: Sequence[tuple[float, int]], hop: int) -> PipeFigures:
    """After the last frame, all but what the decoder waits for has come; so it is after each frame before."""
    last, pending, delays = arrivals[-1][1], iter(arrivals), []
    when_s, there = next(pending)
    for number, began_s in enumerate(sent_s):
        due = last - (len(sent_s) - 1 - number) * hop
        while there < due:
            when_s, there = next(pending)
        delays.append(max(0.0, when_s - began_s))
    ordered = sorted(delays)
    return PipeFigures(statistics.median(delays), ordered[int(0.95 * len(ordered))], ordered[-1], len(delays))


def _listen(descriptor: int, arrivals: list[tuple[float, int]]) -> None:
    total = 0
    while data := os.read(descriptor, 1 << 16):
        total += len(data)
        arrivals.append((time.perf_counter(), total // SAMPLE_BYTES))


def _await(is_true: Callable[[], bool]) -> None:
    deadline_s = time.perf_counter() + PATIENCE_S
    while not is_true() and time.perf_counter() < deadline_s:
        time.sleep(0.01)
