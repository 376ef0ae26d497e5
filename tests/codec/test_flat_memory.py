"""Memory does not grow with the length of what goes through a pipe.

Minutes are compared with the first one, with a tiny model. With speech-16k, measured once, the peak for an hour was
503 MB (502 for a minute) to compress, and 505 MB (482 for a minute) to decompress.
"""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.sounds import noise

pytestmark = pytest.mark.slow

MINUTE = 60 * (0.1 * 32767 * noise(1)).astype("<i2").tobytes()
MINUTES = 2
GROWTH_LIMIT_KIB = 3 << 9  # a minute of the audio alone would be 3.8 MB as floats and 1.9 MB as it came


def peak_kib(process: subprocess.Popen[bytes]) -> int:
    """The most memory that the process has taken so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found
    return int(found[1])


def growth_kib(arguments: list[str], first: bytes, rest: bytes, first_gives: int) -> tuple[int, bytes]:
    """How much the peak grows from when `first` has gone in, and this many bytes have come out, until as many have come
    for each of the other minutes; and all that comes out."""
    process = subprocess.Popen(
        [sys.executable, "-m", "melcodec_cli", *arguments, "--threads", "1", "-", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdin and process.stdout
    process.stdin.write(first)
    process.stdin.flush()
    result = process.stdout.read(first_gives)
    early = peak_kib(process)
    feeder = threading.Thread(target=lambda pipe: (pipe.write(rest), pipe.flush()), args=[process.stdin])
    feeder.start()
    result += process.stdout.read((MINUTES - 1) * first_gives)
    feeder.join()
    late = peak_kib(process)
    process.stdin.close()
    result += process.stdout.read()
    assert process.wait() == 0
    return late - early, result


def test_many_minutes_through_a_pipe_take_the_memory_of_one(tiny_bundle: Path) -> None:
    bundle = ["-q", "--bundle", str(tiny_bundle), "--raw"]
    compress = ["compress", *bundle, "--raw-rate", "16000", "--effort", "1"]
    # Within a minute, most of its 1.9 kB have left.
    growth, coded = growth_kib(compress, MINUTE, (MINUTES - 1) * MINUTE, 1700)
    assert growth < GROWTH_LIMIT_KIB
    part = len(coded) // MINUTES
    decompress = ["decompress", *bundle, "--steps", "0"]
    growth, audio = growth_kib(decompress, coded[:part], coded[part:], int(0.8 * len(MINUTE)))
    assert growth < GROWTH_LIMIT_KIB
    assert len(audio) == MINUTES * len(MINUTE)
