"""Memory does not grow with the length of what goes through a pipe.

An hour is compared with a minute, with a tiny model. With speech-16k, measured once, the peak for an hour was 503 MB
(502 for a minute) to compress, and 505 MB (482 for a minute) to decompress.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sounds import noise

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "melcodec_cli"]
SECOND = (0.1 * 32767 * noise(1)).astype("<i2").tobytes()
GROWTH_LIMIT_KIB = 20 << 10  # twenty minutes of the audio alone would be 77 MB


def peak_kib(arguments: list[str], source: bytes, times: int, target: Path) -> int:
    """The peak memory of a process that reads `source` this many times from a pipe."""
    with target.open("wb") as file:
        process = subprocess.Popen(
            [*PROGRAM, *arguments, "--threads", "1", "-", "-"],
            stdin=subprocess.PIPE,
            stdout=file,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert process.stdin
        for _ in range(times):
            process.stdin.write(source)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.parametrize("minutes", [20])
def test_many_minutes_through_a_pipe_take_the_memory_of_one(
    tmp_path: Path, tiny_bundle: Path, minutes: int
) -> None:
    bundle = ["-q", "--bundle", str(tiny_bundle)]
    peaks = {}
    for length in (1, minutes):
        coded = tmp_path / f"{length}.mlc"
        raw = ["--raw", "--raw-rate", "16000"]
        peaks["compress", length] = peak_kib(["compress", *bundle, *raw], SECOND, 60 * length, coded)
        sound = Path("/dev/null")
        peaks["decompress", length] = peak_kib(
            ["decompress", *bundle, "--raw", "--steps", "0"], coded.read_bytes(), 1, sound
        )
    for command in ("compress", "decompress"):
        assert peaks[command, minutes] - peaks[command, 1] < GROWTH_LIMIT_KIB
