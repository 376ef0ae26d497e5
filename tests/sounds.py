"""Sounds and pipes that the tests of codec and commands share."""

import io
from typing import Any

import numpy as np
from mlcfile import Reader
from numpy.typing import NDArray

Audio = NDArray[np.float32]
CHUNK_SAMPLES = 25600  # of the tiny bundle, at its rate of 16 kHz


class OneWay(io.RawIOBase):
    """Keeps what is written to it and never goes back."""

    def __init__(self) -> None:
        self.received = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.received += bytes(data)
        return len(data)


class Pipe(io.RawIOBase):
    """What is in it comes out in odd pieces, and once only."""

    def __init__(self, data: bytes, pieces: tuple[int, ...] = (1, 7, 4096, 3, 333)):
        self._data = io.BytesIO(data)
        self._pieces = pieces
        self._reads = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        self._reads += 1
        piece = self._data.read(min(len(buffer), self._pieces[self._reads % len(self._pieces)]))
        buffer[: len(piece)] = piece
        return len(piece)


def noise(seconds: float, rate_hz: int = 16000, channels: int = 1, seed: int = 0) -> Audio:
    """Bursts of noise: (sample,) or (sample, channel)."""
    random = np.random.default_rng(seed)
    samples = round(seconds * rate_hz)
    swell = 0.55 + 0.45 * np.sin(np.arange(samples) * 2 * np.pi * 3 / rate_hz)
    audio = (0.1 * random.standard_normal((samples, channels)) * swell[:, None]).astype(np.float32)
    return audio[:, 0] if channels == 1 else audio


def indices_of(data: bytes) -> list[tuple[list[int], list[int]]]:
    """Indices and global indices of every chunk."""
    return [
        (chunk.indices.ravel().tolist(), [] if chunk.globals_ is None else chunk.globals_.ravel().tolist())
        for chunk in Reader(io.BytesIO(data))
    ]


def wav(audio: Audio, rate_hz: int = 16000) -> bytes:
    """In 32-bit floats, so that nothing is rounded."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, audio, rate_hz, format="WAV", subtype="FLOAT")
    return file.getvalue()


ROUNDING = 1e-4  # of audio whose random weights make it some ten times full scale


def assert_same_audio(one: Audio, other: Audio) -> None:
    assert one.shape == other.shape
    np.testing.assert_allclose(
        one, other, rtol=0, atol=ROUNDING * max(1.0, float(np.abs(other).max(initial=0)))
    )
