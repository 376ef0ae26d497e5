"""Pipes with names: /dev/stdin, a shell's <(...), and FIFOs."""

import io
import os
import subprocess
import sys
from pathlib import Path

import mlcfile
import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.files.streams import is_stream, plain_name, takes_output
from melcodec_cli.files.targets import compressed_name, is_mlc, pair_up, split_output
from tests.shell import last_line, names
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{project}:{project / 'formats'}")
    monkeypatch.setenv("MELCODEC", f"{sys.executable} -m melcodec_cli")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(wav(noise(0.5)))
    (tmp_path / "tiny.safetensors").symlink_to(tiny_bundle)
    return tmp_path


def bash(script: str) -> subprocess.CompletedProcess[bytes]:
    """Run a bash script; if it hangs it is killed, and the test fails."""
    return subprocess.run(["bash", "-c", script], capture_output=True, check=False, timeout=100)


SOURCES = ["/dev/stdin < talk.wav", "/dev/fd/0 < talk.wav", "<(cat talk.wav)"]


@pytest.mark.parametrize("source", SOURCES[1:])
def test_the_result_of_a_pipe_goes_to_standard_output(here: Path, source: str) -> None:
    result = bash(f"$MELCODEC compress -q --bundle tiny.safetensors {source}")
    assert (result.returncode, result.stderr) == (0, b"")
    assert sum(chunk.indices.shape[1] for chunk in mlcfile.Reader(io.BytesIO(result.stdout))) > 0
    assert names(here) == ["talk.wav", "tiny.safetensors"]


@pytest.mark.parametrize("source", SOURCES)
def test_the_result_of_a_pipe_goes_to_the_file_that_is_named(here: Path, source: str) -> None:
    """Said by a dry run, which needs no torch."""
    result = bash(f"$MELCODEC compress --dry-run --bundle tiny.safetensors -o out.mlc {source}")
    assert result.returncode == 0
    assert names(here) == ["talk.wav", "tiny.safetensors"]
    assert b"out.mlc" in result.stdout + result.stderr


def test_of_two_fifos_the_second_is_the_output(here: Path) -> None:
    script = "mkfifo p q; cat talk.wav > p & cat q > got.mlc & "
    result = bash(script + "$MELCODEC compress -q --bundle tiny.safetensors p q; wait")
    assert (result.returncode, result.stderr) == (0, b"")
    assert bash("$MELCODEC verify -q got.mlc").returncode == 0


def test_a_fifo_cannot_be_both(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("p")
    assert main(["compress", "p", "p"]) == ExitCode.OUTPUT
    assert last_line(capsys) == "melcodec: p: is the input itself; choose another name for the output"


def test_without_an_output_it_asks_for_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("p")
    assert main(["compress", "--dry-run", "p", "talk.wav"]) == ExitCode.BATCH
    assert "p: is not a regular file, so the output needs a name; give one with -o" in capsys.readouterr().err
    assert main(["compress", "-o", "out/", "/dev/fd/63"]) == ExitCode.USAGE
    assert "/dev/fd/63 has no name to derive the output's from; name the output file" in last_line(capsys)
    assert [pair.files for pair in pair_up(["p"], None, compressed_name)] == [("p", "-")]


def test_which_names_are_streams(tmp_path: Path) -> None:
    fifo = str(tmp_path / "p")
    os.mkfifo(fifo)
    assert is_stream(fifo) and is_stream("/dev/null") and is_stream("/dev/stdin") and is_stream("/dev/fd/9")
    assert not is_stream(str(tmp_path)) and not is_stream(__file__) and not is_stream("absent")
    assert plain_name("/dev/./stdin", 0) == plain_name("/proc/self/fd/0", 0) == "-"
    assert plain_name("/dev/stdout", 0) == "/dev/stdout" and plain_name("/dev/stdout", 1) == "-"


def test_a_pipe_that_can_only_be_read_is_a_second_input() -> None:
    read_end, write_end = os.pipe()
    try:
        assert not takes_output(f"/dev/fd/{read_end}") and takes_output(f"/dev/fd/{write_end}")
        inputs = ["a.wav", f"/dev/fd/{read_end}"]
        assert split_output(inputs, None, lambda name: True) == (inputs, None)
        assert split_output(["a.wav", f"/dev/fd/{write_end}"], None, is_mlc) == (
            ["a.wav"],
            f"/dev/fd/{write_end}",
        )
        assert split_output(["a.wav", "/dev/null"], None, is_mlc) == (["a.wav"], "/dev/null")
    finally:
        os.close(read_end)
        os.close(write_end)
