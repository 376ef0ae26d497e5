"""The report file of a batch, its dry run, and its last lines."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from pydoc import locate
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest

from melcodec_cli.cli import main
from melcodec_cli.convert.conversion import Conversion, Notice, conversion_of
from melcodec_cli.convert.engine import LocalEngine
from melcodec_cli.convert.request import CompressRequest, Request
from melcodec_cli.convert.run import Overwriting, run
from melcodec_cli.errors import BatchFailures, ExitCode
from melcodec_cli.files.targets import Pair
from melcodec_cli.models.choose import Models
from melcodec_cli.report.record import Record
from melcodec_cli.report.report import Report, print_table
from tests.shell import file_size_limit, last_line, names
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


def records(path: str = "run.jsonl") -> dict[str, dict[str, Any]]:
    lines = Path(path).read_text().splitlines()
    found = {record["source"]: record for record in map(json.loads, lines)}
    assert len(found) == len(lines)
    return found


def statuses(path: str = "run.jsonl") -> dict[str, str]:
    return {source: record["status"] for source, record in records(path).items()}


def test_the_report_has_a_line_for_every_input(folder: Path) -> None:
    Path("broken.wav").write_bytes(b"RIFF")
    Path("there.wav").write_bytes(wav(noise(0.5)))
    assert main(["compress", "-q", "there.wav"]) == 0
    inputs = ["talk.wav", "broken.wav", "there.wav", "absent.wav"]
    assert main(["compress", "--skip-existing", "--report", "run.jsonl", *inputs]) == ExitCode.BATCH
    assert statuses() == {
        "talk.wav": "done",
        "broken.wav": "failed",
        "there.wav": "skipped",
        "absent.wav": "failed",
    }
    assert records()["broken.wav"]["exit_code"] == 3 and records()["absent.wav"]["error"] == "no such file"


def test_the_report_of_a_single_failure_is_written_too(folder: Path) -> None:
    assert main(["decompress", "--report", "run.jsonl", "talk.wav", "x.wav"]) == ExitCode.MLC_CORRUPT
    assert statuses() == {"talk.wav": "failed"}


def test_a_report_replaces_an_earlier_one_and_nothing_else(folder: Path) -> None:
    Path("other.wav").write_bytes(wav(noise(0.5)))
    assert main(["compress", "-q", "--report", "run.jsonl", "talk.wav"]) == 0
    assert main(["compress", "-q", "--report", "run.jsonl", "other.wav"]) == 0
    assert statuses() == {"other.wav": "done"}
    before = Path("talk.wav").read_bytes()
    assert main(["compress", "-q", "--force", "--report", "talk.wav", "other.wav"]) == ExitCode.OUTPUT
    assert Path("talk.wav").read_bytes() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemError], ids=["interrupted", "program error"])
def test_the_report_of_an_interrupted_run_lists_unfinished_files(
    folder: Path, error: type[BaseException]
) -> None:
    def request_of(pair: Pair, force: bool) -> CompressRequest:
        raise error

    report = Report(batch=True, path="run.jsonl", quiet=True)
    models = Models(report.notice, report.detail)
    pairs = [Pair("absent.wav", "x.mlc"), Pair("talk.wav", "a.mlc")]
    overwriting = Overwriting(False, False, lambda pair: False, lambda pair: False)
    with pytest.raises(error):
        run(pairs, request_of, overwriting, report, LocalEngine(models, report.notice))
    assert statuses() == {"absent.wav": "failed", "talk.wav": "unfinished"}


def test_an_input_that_vanishes_fails_and_the_rest_goes_on(folder: Path) -> None:
    Path("gone.wav").write_bytes(wav(noise(0.5)))
    report = Report(batch=True, path="run.jsonl", quiet=True)
    models = Models(report.notice, report.detail)

    def request_of(pair: Pair, force: bool) -> CompressRequest:
        Path("gone.wav").unlink(missing_ok=True)  # it was there when the run looked
        return CompressRequest(*pair.files, force=force)

    pairs = [Pair("gone.wav", "gone.mlc"), Pair("talk.wav", "talk.mlc")]
    overwriting = Overwriting(False, False, lambda pair: False, lambda pair: False)
    with pytest.raises(BatchFailures, match="1 done, 0 skipped, 1 failed"):
        run(pairs, request_of, overwriting, report, LocalEngine(models, report.notice))
    assert statuses() == {"gone.wav": "failed", "talk.wav": "done"}
    assert "no such file" in records()["gone.wav"]["error"]
    assert names(folder) == ["run.jsonl", "talk.mlc", "talk.wav"]


FAULTS: dict[str, tuple[str, Callable[..., Any], Exception]] = {
    "reading": (
        "audio.source.AudioSource.blocks",
        lambda source, *_: source.name == "loud.wav",
        ValueError("no such\nblock"),
    ),
    "coding": (
        "systems.fmel.chain.Chain.encode",
        lambda chain, audio, *_: max(np.abs(row).max() for row in audio) > 1,
        RuntimeError("not enough memory"),
    ),
    "writing": (
        "codec.compression.Compression.take",
        lambda coding, *_: coding.source.name == "loud.wav",
        MemoryError(),
    ),
    "finishing": (
        "codec.compression.Compression.finish",
        lambda coding, *_: coding.source.name == "loud.wav",
        AssertionError("odd"),
    ),
}


@pytest.mark.parametrize("step", FAULTS)
def test_an_error_in_a_library_fails_only_its_own_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    Path("loud.wav").write_bytes(wav(20 * noise(2)))
    Path("other.wav").write_bytes(wav(noise(3)))
    inputs = ["talk.wav", "loud.wav", "other.wav"]
    place, is_concerned, error = FAULTS[step]
    whole: Any = locate(f"melcodec_cli.{place}")

    def failing(*arguments: Any) -> Any:
        if is_concerned(*arguments):
            raise error
        return whole(*arguments)

    monkeypatch.setattr(f"melcodec_cli.{place}", failing)
    assert main(["compress", "--report", "run.jsonl", *inputs]) == ExitCode.BATCH
    assert statuses() == {"talk.wav": "done", "loud.wav": "failed", "other.wav": "done"}
    lines = capsys.readouterr().err.splitlines()
    reason = str(error).split("\n")[0]
    assert lines[0] == f"melcodec: loud.wav: internal error: {type(error).__name__}: {reason}"
    assert lines[-1] == "melcodec: 2 done, 0 skipped, 1 failed"
    written = ["other.wav.mlc", "run.jsonl", "talk.wav.mlc"]
    assert names(folder) == sorted([*inputs, *written])
    assert main(["verify", "-q", "talk.wav.mlc", "other.wav.mlc"]) == 0
    monkeypatch.setenv("MELCODEC_DEBUG", "1")
    assert main(["compress", "--force", *inputs]) == ExitCode.BATCH
    assert f"in failing\n    raise error\n{type(error).__name__}" in capsys.readouterr().err


def test_converted_files_are_not_kept_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand files would otherwise keep too many readers, writers and buffers."""
    window = 8
    monkeypatch.setattr("melcodec_cli.codec.pipeline.STREAMS_PER_WINDOW", window)
    alive: WeakSet[Conversion[Any, Any]] = WeakSet()
    made = most = 0
    report = Report(batch=True, quiet=True)
    models = Models(report.notice, report.detail)
    Path("short.wav").write_bytes(wav(noise(0.05)))

    def counted(request: Request, models: Models, notice: Notice) -> Conversion[Any, Any]:
        nonlocal made, most
        conversion = conversion_of(request, models, notice)
        alive.add(conversion)
        made, most = made + 1, max(most, len(alive))
        return conversion

    monkeypatch.setattr("melcodec_cli.convert.engine.conversion_of", counted)
    pairs = [Pair("short.wav", f"{place}.mlc") for place in range(6 * window)]
    run(
        pairs,
        lambda pair, force: CompressRequest(*pair.files, force=force),
        Overwriting(False, False, lambda pair: False, lambda pair: False),
        report,
        LocalEngine(models, report.notice),
    )
    assert made == len(pairs) and most < 4 * window


def test_a_file_that_fills_the_disk_fails_and_the_rest_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("long.wav").write_bytes(wav(noise(8)))
    assert main(["compress", "-q", "talk.wav", "long.wav", "-o", "coded"]) == 0
    with file_size_limit(100_000):
        code = main(["decompress", "-q", "-r", "coded", "-o", "out", "--report", "run.jsonl"])
    assert code == ExitCode.BATCH
    assert statuses() == {"coded/long.wav.mlc": "failed", "coded/talk.wav.mlc": "done"}
    assert "out/long.wav: file too large" in capsys.readouterr().err
    assert names(folder / "out") == ["talk.wav"]


def test_a_report_that_cannot_be_written_does_not_stop_the_run_but_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.wav").write_bytes(wav(noise(0.5)))
    assert main(["compress", "-q", "--report", "/dev/full", "talk.wav", "other.wav"]) == ExitCode.INTERNAL
    assert last_line(capsys) == "melcodec: /dev/full: no space left on device"
    assert {"talk.wav.mlc", "other.wav.mlc"} <= set(names(folder))


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in/sub").mkdir(parents=True)
    os.link("talk.wav", "in/sub/a.wav")
    Path("there.wav").write_bytes(wav(noise(0.5)))
    arguments = ["compress", "--dry-run", "-r", "in", "there.wav", "absent.wav", "-o", "out"]
    assert main(arguments) == ExitCode.BATCH
    captured = capsys.readouterr()
    assert captured.out == "in/sub/a.wav -> out/sub/a.wav.mlc\nthere.wav -> out/there.wav.mlc\n"
    assert captured.err.splitlines()[-1].endswith("0 done, 0 skipped, 1 failed, 2 planned")
    assert names(folder) == ["in", "talk.wav", "there.wav"]


def test_a_dry_run_foresees_what_is_skipped_and_refused(folder: Path) -> None:
    for name in ("done.wav", "mine.wav"):
        os.link("talk.wav", name)
    assert main(["compress", "-q", "done.wav"]) == 0
    Path("mine.wav.mlc").write_text("mine")
    inputs = ["talk.wav", "done.wav", "mine.wav"]
    assert main(["compress", "--dry-run", "--skip-existing", "--report", "run.jsonl", *inputs]) == 8
    assert statuses() == {"talk.wav": "planned", "done.wav": "skipped", "mine.wav": "failed"}


def test_the_table_of_many_files_shows_the_failed_and_the_slowest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = [Record(f"{place}.wav", f"{place}.mlc", duration_s=1, elapsed_s=place) for place in range(30)]
    many[3].status = "failed"
    print_table(many, True, sys.stdout)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = [row[0] for row in rows if row and row[0].endswith((".mlc", ".wav"))]
    assert shown == ["3.wav", *(f"{place}.mlc" for place in range(29, 20, -1))]
    assert any(row[:2] == ["29", "files,"] for row in rows)


def test_progress_on_a_terminal_tells_files_audio_and_speed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from melcodec_cli.convert.progress import progress

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    report = Report(batch=True)
    models = Models(report.notice, report.detail)
    requests = [CompressRequest("talk.wav", f"{place}.mlc") for place in range(2)]
    with progress(len(requests), report) as shown:
        assert shown is not None
        for outcome in LocalEngine(models, report.notice).convert(requests, shown.job_done):
            shown.file_done(outcome.record)
        line = str(report.bar)
    assert "2/2" in line and "h of audio" in line and "x real time" in line
    with progress(1, Report(quiet=True)) as shown:
        assert shown is None
