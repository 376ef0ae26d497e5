"""Audio through real pipes: live, in pieces of any size, in constant memory."""

import io
import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile

from melcodec_cli.audio import AudioSink, RawFormat, open_sink, open_source
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.source import AudioSource, PcmSource

Tone = Callable[..., Samples]
Encoded = Callable[..., bytes]
Pipe = Callable[..., BinaryIO]
ReadAll = Callable[[AudioSource], Samples]


@contextmanager
def open_pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A pipe's (read end, write end), the latter unbuffered."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader, os.fdopen(write_end, "wb", buffering=0) as writer:
        yield reader, cast(BinaryIO, writer)


@pytest.mark.parametrize("sizes", [(1,), (3, 5, 7), (1023, 1, 64), (65536,)], ids=str)
@pytest.mark.parametrize("form", ["wav", "au", "raw"])
def test_pieces_of_a_pipe_give_the_samples_of_the_file(
    form: str, sizes: tuple[int, ...], tone: Tone, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    block = tone(1_500, channels=3)
    path = tmp_path / f"in.{form}"
    soundfile.write(path, block, 16_000, "PCM_24", endian="LITTLE" if form == "raw" else "FILE")
    raw = RawFormat(16_000, 3, "s24le") if form == "raw" else None
    source = open_source(pipe(path.read_bytes(), sizes), raw)
    assert isinstance(source, PcmSource)
    assert (source.rate_hz, source.channels) == (16_000, 3)
    np.testing.assert_array_equal(read_all(source), read_all(open_source(path, raw)))
    assert source.samples == 1_500


@pytest.mark.parametrize("form", ["wav", "au", "raw"])
def test_samples_are_there_while_the_pipe_is_still_open(form: str) -> None:
    header = {
        "wav": struct.pack(
            "<4sI4s4sIHHIIHH4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 2, 16_000, 0, 4, 16, b"data", 0
        ),
        "au": struct.pack(">4s5I", b".snd", 24, 0xFFFFFFFF, 3, 16_000, 2),
        "raw": b"",
    }[form]
    with open_pipe() as (reader, writer):
        writer.write(header)
        source = open_source(reader, RawFormat(16_000, 2) if form == "raw" else None)
        blocks = source.blocks(10_000)
        for frames in (3, 1, 7):
            writer.write(
                b"\1\1\1\1" * frames + b"\1"
            )  # and a part of the next, which the next piece completes
            assert len(next(blocks)) == frames
            writer.write(b"\1\1\1")
            assert len(next(blocks)) == 1
        writer.close()
        assert list(blocks) == []
        assert (source.samples, source.truncated) == (14, False)


@pytest.mark.parametrize("form", ["flac", "ogg", "opus", "mp3", "aiff", "caf"])
def test_formats_that_need_seeking_are_spooled(
    form: str, tone: Tone, encoded: Encoded, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    path = tmp_path / f"in.{form}"
    if form in ("aiff", "caf"):
        soundfile.write(path, tone(3_000), 16_000)
    else:
        path.write_bytes(encoded(tone(3_000), form))
    with open_source(pipe(path.read_bytes())) as source:
        assert source.samples == 3_000
        np.testing.assert_array_equal(read_all(source), read_all(open_source(path)))


def test_spooled_file_has_no_name_and_is_closed_with_the_source(
    tone: Tone, encoded: Encoded, pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    open_before = len(os.listdir("/proc/self/fd"))
    data = pipe(encoded(tone(3_000), "flac"))
    with open_source(data) as source:
        next(source.blocks(10))
        assert list(tmp_path.iterdir()) == []
    data.close()
    assert len(os.listdir("/proc/self/fd")) <= open_before + 1  # the writer's end may still be open


@pytest.mark.parametrize("kind", ["fifo", "/dev/stdin", "-"])
def test_pipe_may_come_under_a_name(kind: str, tone: Tone, encoded: Encoded, tmp_path: Path) -> None:
    where = kind
    if kind == "fifo":
        where = str(tmp_path / "fifo")
        os.mkfifo(where)
    script = (
        "import sys; from melcodec_cli.audio import open_source\n"
        "with open_source(sys.argv[1]) as source: print(source.name, sum(map(len, source.blocks(100))))"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", script, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False
    )
    data = encoded(tone(5_000))
    if kind == "fifo":
        Path(where).write_bytes(data)
    output, _ = reader.communicate(None if kind == "fifo" else data)
    name = "standard input" if kind == "-" else where
    assert output.decode() == f"{name} 5000\n"


def test_file_given_as_standard_input_has_an_exact_length(
    tone: Tone, encoded: Encoded, tmp_path: Path
) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(encoded(tone(5_000))[:-1_000])
    script = "from melcodec_cli.audio import open_source; print(open_source('-').samples)"
    with path.open("rb") as file:
        output = subprocess.run(
            [sys.executable, "-c", script], stdin=file, capture_output=True, check=True
        ).stdout
    assert output == b"4500\n"


class Endless(io.RawIOBase):
    """A pipe that delivers a given number of generated bytes."""

    def __init__(self, header: bytes, size: int):
        self._header = header
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._header:
            piece, self._header = self._header[:size], self._header[size:]
            return piece
        piece = b"\1" * min(size, self._left, 65_536)
        self._left -= len(piece)
        return piece


def test_memory_does_not_grow_with_the_length(encoded: Encoded, tone: Tone) -> None:
    header = encoded(tone(0), samples=0)[:-8] + b"data\xff\xff\xff\xff"
    nothing = open(os.devnull, "wb")  # noqa: SIM115
    tracemalloc.start()
    try:
        peaks = []
        for size in (2_000_000, 40_000_000):
            tracemalloc.reset_peak()
            source = open_source(cast(BinaryIO, Endless(header, size)))
            with open_sink(nothing, "wav", 16_000, 1) as sink:
                for block in source.blocks(16_000):
                    sink.write(block)
            assert source.samples == sink.samples == size // 2
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
        nothing.close()
    assert peaks[1] < peaks[0] + 500_000
    assert peaks[1] < 4_000_000


@pytest.mark.parametrize("form", ["wav", "raw"])
def test_each_block_leaves_at_once(form: str, tone: Tone) -> None:
    with open_pipe() as (reader, writer):
        buffered = os.fdopen(os.dup(writer.fileno()), "wb")  # as standard output is
        sink = open_sink(buffered, form, 16_000, 1)
        header = os.read(reader.fileno(), 1_000) if form == "wav" else b""
        assert len(header) == {"wav": 44, "raw": 0}[form]
        for _ in range(3):
            sink.write(tone(10))
            assert len(os.read(reader.fileno(), 1_000)) == 20
        sink.finish()
        buffered.close()


@pytest.mark.parametrize("samples", [None, 700], ids=["unknown length", "known length"])
def test_wav_in_a_pipe_gives_the_length_if_it_can(
    samples: int | None, tone: Tone, one_way: BinaryIO, pipe: Pipe, read_all: ReadAll
) -> None:
    with open_sink(one_way, "wav", 16_000, 1, samples) as sink:
        sink.write(tone(700))
    data: bytes = one_way.received  # type: ignore[attr-defined]
    assert struct.unpack_from("<I", data, 4)[0] == (0xFFFFFFFF if samples is None else len(data) - 8)
    assert struct.unpack_from("<I", data, 40)[0] == (0xFFFFFFFF if samples is None else 1_400)
    source = open_source(pipe(data))
    assert source.samples == samples
    np.testing.assert_allclose(read_all(source), tone(700), atol=2**-15)


@pytest.mark.parametrize("form", ["flac", "ogg", "opus", "mp3"])
def test_encoded_output_reaches_a_pipe_whole(
    form: str, tone: Tone, one_way: BinaryIO, pipe: Pipe, read_all: ReadAll
) -> None:
    with open_sink(one_way, form, 16_000, 1) as sink:
        sink.write(tone(5_000))
    source = open_source(pipe(one_way.received, (4096,)))  # type: ignore[attr-defined]
    assert len(read_all(source)) == 5_000


def test_closed_pipe_is_a_broken_pipe(tone: Tone) -> None:
    def write_all(sink: AudioSink) -> None:
        for _ in range(100):
            sink.write(tone(10_000))

    with open_pipe() as (reader, writer):
        sink = open_sink(writer, "wav", 16_000, 1)
        reader.close()
        with pytest.raises(BrokenPipeError):
            write_all(sink)
