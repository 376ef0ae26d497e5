"""Real processes between real pipes, fed only as fast as they answer: more goes in when something has come out."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import mlcfile
import pytest

from melcodec_cli.cli import main
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

RATE_HZ = 16000
CHUNK_S = 1.0
PACE_S = 0.02  # fed at a time
PATIENCE_S = 120  # of a busy machine; what is measured is the audio that had gone in, not this


class Piped:
    """A command between two pipes."""

    def __init__(self, arguments: list[str]):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "melcodec_cli", *arguments, "-q", "--threads", "1", "-", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            bufsize=0,
        )
        assert self.process.stdin and self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.received = b""

    def feed(self, data: bytes) -> None:
        self.stdin.write(data)

    def has_more(self, wait_s: float) -> bool:
        """Whether any output came within this time."""
        if not select.select([self.stdout], [], [], wait_s)[0]:
            return False
        self.received += os.read(self.stdout.fileno(), 1 << 20)
        return True

    def await_bytes(self, count: int) -> int:
        """Wait for this many bytes without sending more; returns how many there are then."""
        deadline_s = time.monotonic() + PATIENCE_S
        while len(self.received) < count:
            assert time.monotonic() < deadline_s, "nothing comes although all is there that it needs"
            self.has_more(1)
        return len(self.received)

    def end(self) -> None:
        self.stdin.close()
        while data := os.read(self.stdout.fileno(), 1 << 20):
            self.received += data
        self.stdout.close()
        assert self.process.wait(PATIENCE_S) == 0


@pytest.fixture
def coded(folder: Path) -> bytes:
    """A file of eight seconds."""
    Path("eight.wav").write_bytes(wav(noise(8)))
    assert main(["compress", "-q", "--chunk-seconds", str(CHUNK_S), "eight.wav", "eight.mlc"]) == 0
    return Path("eight.mlc").read_bytes()


def test_a_paced_pipe_has_the_latency_that_info_shows(
    coded: bytes, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--bundle", str(tiny_bundle), "--raw"]
    compress = Piped(["compress", *options, "--rate", str(RATE_HZ), "--chunk-seconds", str(CHUNK_S)])
    decompress = Piped(["decompress", *options, "--format", "s16le"])
    assert main(["info", "--json", "eight.mlc"]) == 0
    (stream,) = json.loads(capsys.readouterr().out)["streams"]
    told = stream["latency"]
    blocks = [block.data for block in mlcfile.Reader(io.BytesIO(coded)).blocks()]

    audio = (32767 * noise(8)).astype("<i2").tobytes()
    step = 2 * round(PACE_S * RATE_HZ)
    pieces = deque(audio[place : place + step] for place in range(0, len(audio), step))
    fed_s, written, stamps_s = 0.0, compress.await_bytes(1), []
    for number in range(3):
        due_s = told["compress_s"] + number * CHUNK_S
        while fed_s < due_s - 2 * PACE_S:
            compress.feed(pieces.popleft())
            fed_s += PACE_S
        assert not compress.has_more(0.3), f"chunk {number} came early"
        while fed_s < due_s:
            compress.feed(pieces.popleft())
            fed_s += PACE_S
        written += len(blocks[number])
        compress.await_bytes(written)
        stamps_s.append(fed_s)
    assert stamps_s == pytest.approx(
        [told["compress_s"] + number * CHUNK_S for number in range(3)], abs=PACE_S
    )
    while pieces:
        compress.feed(pieces.popleft())
    compress.end()

    file = compress.received
    reader = mlcfile.Reader(io.BytesIO(file))
    ends = [block.offset + len(block.data) for block in reader.blocks()]
    needed = round(told["decompress_s"] / CHUNK_S)
    decompress.feed(file[: ends[needed - 1] - 1])
    assert not decompress.has_more(0.3), "audio came early"
    decompress.feed(file[ends[needed - 1] - 1 : ends[needed - 1]])
    decompress.await_bytes(2 * round(CHUNK_S * RATE_HZ))
    decompress.feed(file[ends[needed - 1] :])
    decompress.end()
    assert len(decompress.received) == len(audio)
