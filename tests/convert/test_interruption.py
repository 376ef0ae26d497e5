"""What happens before the work begins and when it is interrupted."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from tests.shell import names
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "melcodec_cli"]


def test_a_refusal_comes_before_torch(folder: Path, tiny_bundle: Path) -> None:
    main(["compress", "-q", "talk.wav", "a.mlc"])
    calls = [
        (["compress", "talk.wav", "a.mlc"], ExitCode.OUTPUT),
        (["compress", "absent.wav"], ExitCode.USAGE),
        (["compress", "--profile", "absent", "talk.wav"], ExitCode.MODEL),
        (
            ["decompress", "a.mlc", "new.wav"],
            ExitCode.MODEL,
        ),  # made by the tiny bundle, which is not installed
    ]
    program = f"""
import sys
from melcodec_cli.cli import main
for arguments, code in {[(arguments, int(code)) for arguments, code in calls]}:
    assert main(arguments) == code, arguments
    assert "torch" not in sys.modules, arguments
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_termination_leaves_no_output(folder: Path, tiny_bundle: Path) -> None:
    command = [*PROGRAM, "compress", "--bundle", str(tiny_bundle), "-", "out.mlc"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stderr
    process.stdin.write((folder / "talk.wav").read_bytes()[:-1000])
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not any("out.mlc" in name for name in names(folder)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == ExitCode.TERMINATED
    assert process.stderr.read() == b"melcodec: terminated\n"
    assert names(folder) == ["talk.wav"]


def test_a_closed_pipe_is_not_reported(folder: Path, tiny_bundle: Path) -> None:
    Path("long.wav").write_bytes(wav(noise(8)))
    main(["compress", "-q", "long.wav", "long.mlc"])
    command = [*PROGRAM, "decompress", "--bundle", str(tiny_bundle), "long.mlc", "-"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == ExitCode.BROKEN_PIPE
    assert process.stderr.read() == b""
