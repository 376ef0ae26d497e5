"""Signals and pipes that the tests of audio share."""

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import BinaryIO, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from melcodec_cli.audio import AudioSource, open_sink

Samples = NDArray[np.float32]


class OneWay(io.RawIOBase):
    """Keeps what is written to it, and cannot seek."""

    def __init__(self) -> None:
        self.received = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(cast(bytes, data))
        self.received += piece
        return len(piece)


@pytest.fixture
def one_way() -> BinaryIO:
    return cast(BinaryIO, OneWay())


@pytest.fixture
def tone() -> Callable[..., Samples]:
    """A quiet chord of its own for every channel: (frame, channel)."""

    def make(samples: int, rate_hz: int = 16_000, channels: int = 1) -> Samples:
        time_s = np.arange(samples)[:, None] / rate_hz
        pitch_hz = 200 + 70 * np.arange(channels)
        wave = 0.4 * np.sin(2 * np.pi * pitch_hz * time_s) + 0.2 * np.sin(2 * np.pi * 3 * pitch_hz * time_s)
        return wave.astype(np.float32)

    return make


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """The bytes of a recording in one of our formats."""

    def make(block: Samples, form: str = "wav", rate_hz: int = 16_000, **options: object) -> bytes:
        file = io.BytesIO()
        with open_sink(file, form, rate_hz, block.shape[1], **options) as sink:  # type: ignore[arg-type]
            sink.write(block)
        return file.getvalue()

    return make


@pytest.fixture
def pipe() -> Iterator[Callable[..., BinaryIO]]:
    """A real pipe that delivers the data in pieces of these sizes, in turn."""
    threads, files = [], []

    def make(data: bytes, sizes: Iterable[int] = (1, 7, 4096, 3, 333)) -> BinaryIO:
        read_end, write_end = os.pipe()

        def feed() -> None:
            position = 0
            with os.fdopen(write_end, "wb", buffering=0) as file:
                for size in cycle(sizes):
                    if position >= len(data):
                        return
                    try:
                        position += file.write(data[position : position + size]) or 0
                    except BrokenPipeError:
                        return

        thread = threading.Thread(target=feed)
        thread.start()
        threads.append(thread)
        files.append(os.fdopen(read_end, "rb"))
        return files[-1]

    yield make
    for file in files:
        file.close()
    for thread in threads:
        thread.join(10)


@pytest.fixture
def read_all() -> Callable[[AudioSource], Samples]:
    """All samples of a source, read in blocks of an odd size."""

    def read(source: AudioSource) -> Samples:
        with source:
            blocks = list(source.blocks(1001))
        assert all(block.dtype == np.float32 and 0 < len(block) <= 1001 for block in blocks)
        return np.concatenate([np.zeros((0, source.channels), np.float32), *blocks])

    return read
