"""Daemons and cron may start a program with standard input, output or error closed."""

import subprocess
import sys
from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


def run(arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run melcodec from bash, with redirections."""
    return subprocess.run(
        ["bash", "-c", f'exec "$0" -m melcodec_cli {arguments}', sys.executable],
        cwd=folder,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def here(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recording and a small model; programs find the tests' own copy of melcodec."""
    project = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{project}:{project / 'formats'}")
    (tmp_path / "talk.wav").write_bytes(wav(noise(0.5)))
    (tmp_path / "tiny.safetensors").symlink_to(tiny_bundle)
    return tmp_path


def test_without_standard_error_a_file_is_compressed_as_usual(here: Path) -> None:
    assert (
        main(
            [
                "compress",
                "-q",
                "--bundle",
                str(here / "tiny.safetensors"),
                f"{here}/talk.wav",
                f"{here}/with.mlc",
            ]
        )
        == 0
    )
    result = run("compress --bundle tiny.safetensors talk.wav out.mlc 2>&-", here)
    assert (result.returncode, result.stdout) == (0, b"")
    assert (here / "out.mlc").read_bytes() == (here / "with.mlc").read_bytes()


def test_without_any_of_them_nothing_lands_in_the_recording(here: Path) -> None:
    (here / "empty.wav").write_bytes(b"")
    arguments = "compress --bundle tiny.safetensors talk.wav empty.wav -o out <&- >&- 2>&-"
    assert run(arguments, here).returncode == ExitCode.BATCH
    assert main(["verify", "-q", str(here / "out" / "talk.wav.mlc")]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ("completion bash >&-", ExitCode.INTERNAL, "standard output: is closed"),
        ("models list >&-", ExitCode.INTERNAL, "standard output: is closed"),
        ("compress talk.wav - >&-", ExitCode.USAGE, "talk.wav: standard output is closed; name a file"),
        ("compress -f - - <&-", ExitCode.USAGE, "standard input is closed; name a file or pipe one in"),
        ("decompress - x.wav <&-", ExitCode.USAGE, "standard input is closed; name a file or pipe one in"),
        ("verify - <&-", ExitCode.USAGE, "standard input is closed; name a file or pipe one in"),
        ("compress --files-from - -o out <&-", ExitCode.USAGE, "standard input is closed; name a file"),
    ],
)
def test_what_needs_a_closed_stream_says_so_in_one_line(
    here: Path, arguments: str, code: ExitCode, line: str
) -> None:
    result = run(arguments, here)
    assert result.stderr.decode().startswith(f"melcodec: {line}")
    assert (result.returncode, result.stderr.count(b"\n")) == (code, 1)
