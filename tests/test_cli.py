"""What all commands share: exit codes, one line per error, signals, pipes, and forbidden imports."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import melcodec_cli
from melcodec_cli import cli, errors
from melcodec_cli.errors import ExitCode, MelcodecError
from melcodec_cli.report.printable import printable

PROGRAM = [sys.executable, "-m", "melcodec_cli"]


def failing_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command that raises `error`."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "program", click.Command("melcodec", callback=fail))
    return cli.main([])


def every_error() -> list[type[MelcodecError]]:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in classes if issubclass(value, MelcodecError) and value is not MelcodecError]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_an_error_of_the_family_is_one_line_and_its_own_exit_code(
    kind: type[MelcodecError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = failing_with(kind("does not work", "a.wav"), monkeypatch)
    assert code == kind.exit_code > 1
    assert capsys.readouterr() == ("", "melcodec: a.wav: does not work\n")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (errors.Terminated(), 143, "terminated"),
        (PermissionError(13, "Permission denied", "a.wav"), 1, "a.wav: permission denied"),
        (OSError(28, "No space left on device"), 1, "no space left on device"),
        (KeyError("x"), 1, "internal error: KeyError: 'x'"),
        (click.UsageError("Two\n  lines."), 2, "two lines (see 'melcodec --help')"),
    ],
    ids=["interrupt", "termination", "a file's own trouble", "disk full", "a bug", "usage"],
)
def test_whatever_else_happens_is_one_line_too(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert failing_with(error, monkeypatch) == code
    assert capsys.readouterr().err.strip() == f"melcodec: {line}"


def test_a_traceback_is_shown_only_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MELCODEC_DEBUG", "1")
    assert failing_with(KeyError("x"), monkeypatch) == ExitCode.INTERNAL
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--nope"], ["nope"], ["info"], ["info", "--nope"]],
    ids=lambda arguments: " ".join(arguments),
)
def test_wrong_usage_is_one_line_and_exits_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("melcodec: ") and captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("compres", "; did you mean 'compress'?"),
        ("decompres", "; did you mean 'decompress'?"),
        ("INFO", "; did you mean 'info'?"),
        ("evalute", "; did you mean 'evaluate'?"),
        ("model", "; did you mean 'models'?"),
        ("xyzzy", ""),
        ("talk.wav", "; did you mean 'melcodec compress talk.wav'?"),
        ("talk.wav.mlc", "; did you mean 'melcodec decompress talk.wav.mlc'?"),
    ],
)
def test_a_mistyped_command_brings_the_one_that_was_meant(
    word: str,
    meant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("talk.wav", "talk.wav.mlc"):
        Path(name).touch()
    assert cli.main([word]) == ExitCode.USAGE
    line = f"melcodec: no such command '{word}'{meant} (see 'melcodec --help')\n"
    assert capsys.readouterr().err == line


def test_no_arguments_at_all_show_the_help_on_stderr_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == "" and "Commands:" in captured.err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"melcodec {melcodec_cli.__version__}\n"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["terminated", "interrupted"]
)
def test_signals_end_a_waiting_command_with_their_own_code(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "verify", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a background job inherits it ignored
    )
    assert process.stdin is not None and process.stderr is not None
    # The command has read its first bytes once it waits for more in a pipe: give it time to get there.
    process.stdin.write(b"\x8dML")
    process.stdin.flush()
    wait_until_reading(process.pid)
    process.send_signal(number)
    assert process.wait(timeout=20) == code
    assert process.stderr.read().count(b"\n") == 1
    process.stdin.close()
    process.stderr.close()


def wait_until_reading(pid: int) -> None:
    """Wait until the process sleeps in a read of its standard input (only Linux can tell)."""
    syscall = Path(f"/proc/{pid}/syscall")
    for _ in range(200):
        try:
            if syscall.read_text().split()[:2] == ["0", "0x0"]:  # read(0, ...)
                return
        except OSError:
            pass
        time.sleep(0.05)


def test_a_closed_pipe_ends_the_program_silently_with_141() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        [*PROGRAM, "completion", "bash"], stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert (process.returncode, process.stderr) == (ExitCode.BROKEN_PIPE, b"")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["completion", "bash"], *([name, "--help"] for name in cli.COMMANDS)],
    ids=lambda arguments: " ".join(arguments),
)
def test_neither_torch_nor_soundfile_is_imported_for(arguments: list[str]) -> None:
    script = (
        "import sys; from melcodec_cli.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or ', '.join({'torch', 'soundfile', 'scipy', 'soxr'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain näme 語.wav", "plain näme 語.wav"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("two\nlines", "two\\nlines"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("bad \udcff byte", "bad \\udcff byte"),
        ("\x9b31m", "\\x9b31m"),
    ],
    ids=["harmless", "escape", "newline", "right to left", "undecodable byte", "eight-bit escape"],
)
def test_control_characters_are_printed_harmlessly(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode()


def test_the_public_names_are_compress_and_decompress() -> None:
    assert {"compress", "decompress"} < set(melcodec_cli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = melcodec_cli.other
