"""Makes .mlc streams with random indices, which need no model."""

import io
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from mlcfile import Globals, Header, Writer

Stream = Callable[..., bytes]


class OneWay(io.BytesIO):
    """A file like a pipe: it cannot seek back to change what was written."""

    def seekable(self) -> bool:
        return False


def make_stream(
    seconds: float = 50, tags: Mapping[str, str] | None = None, length_known: bool = True, seed: int = 0
) -> bytes:
    """Make a stream of a stereo recording at 48 kHz mixed down to one channel, with 32 global indices."""
    samples = round(48000 * seconds)
    header = Header(
        bitstream_id=bytes.fromhex("01020304"),
        renderer_id=bytes.fromhex("a0b0"),
        rate_hz=48000,
        channels=2,
        samples=samples if length_known else None,
        globals_=Globals(32, 3),
    )
    file = OneWay()
    writer = Writer(file, header)
    if tags:
        writer.write_tags(tags)
    random = np.random.default_rng(seed)
    frames_left = header.frames_of(samples)
    while frames_left:
        frames = min(frames_left, header.layout.chunk_frames)
        writer.write_chunk(random.integers(0, 1024, (1, frames, 1)), random.integers(0, 8, (1, 32)))
        frames_left -= frames
    writer.finish(samples)
    return file.getvalue()


@pytest.fixture
def stream() -> Stream:
    return make_stream
