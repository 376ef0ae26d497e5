"""Many files: what fails, what is skipped, where everything goes."""

import json
import os
from pathlib import Path

import pytest
import soundfile

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from tests.shell import file_size_limit, last_line, names, unreadable_folder
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


def test_a_batch_goes_on_past_what_fails_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.wav").write_bytes(b"RIFF")
    Path("other.wav").write_bytes(wav(noise(0.5)))
    Path("there.wav.mlc").write_text("mine")
    Path("there.wav").write_bytes(wav(noise(0.5)))
    inputs = ["broken.wav", "talk.wav", "absent.wav", "there.wav", "other.wav"]
    assert main(["compress", "--json", *inputs]) == ExitCode.BATCH
    captured = capsys.readouterr()
    records = {record["source"]: record for record in map(json.loads, captured.out.splitlines())}
    assert {name: record["exit_code"] for name, record in records.items()} == {
        "broken.wav": 3,
        "talk.wav": 0,
        "absent.wav": 2,
        "there.wav": 6,
        "other.wav": 0,
    }
    lines = captured.err.splitlines()
    assert lines[-1] == "melcodec: 2 done, 0 skipped, 3 failed"
    assert any(line.startswith("melcodec: broken.wav: ") for line in lines)
    assert Path("other.wav.mlc").exists() and not Path("broken.wav.mlc").exists()


def test_no_input_is_replaced_not_even_by_another_ones_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "a.mlc"):
        Path(name).write_bytes(bytes(32000))
    raw = ["--raw", "--raw-rate", "16000"]
    assert main(["compress", "--force", *raw, "a", "a.mlc", "talk.wav"]) == ExitCode.BATCH
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "melcodec: a.mlc: is another input; choose another name for the output"
    assert Path("a.mlc").read_bytes() == bytes(32000)
    assert names(folder) == ["a", "a.mlc", "a.mlc.mlc", "talk.wav", "talk.wav.mlc"]


def test_skip_existing_keeps_the_complete_and_redoes_the_damaged(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("complete", "damaged"):
        Path(f"{name}.wav").write_bytes(wav(noise(0.5)))
        main(["compress", "-q", f"{name}.wav"])
    whole = Path("damaged.wav.mlc").read_bytes()
    Path("damaged.wav.mlc").write_bytes(whole[:-3])
    complete_at = Path("complete.wav.mlc").stat().st_mtime_ns
    assert main(["compress", "--skip-existing", "complete.wav", "damaged.wav", "talk.wav"]) == 0
    assert last_line(capsys) == "2 done, 1 skipped, 0 failed"
    assert Path("damaged.wav.mlc").read_bytes() == whole
    assert Path("complete.wav.mlc").stat().st_mtime_ns == complete_at


def test_skip_existing_replaces_nothing_that_is_not_its_own(folder: Path) -> None:
    Path("talk.wav.mlc").write_text("mine")
    assert main(["compress", "--skip-existing", "talk.wav"]) == ExitCode.OUTPUT
    assert main(["compress", "-q", "talk.wav", "a.mlc"]) == 0
    Path("a.wav").write_bytes(wav(noise(1)))
    assert main(["decompress", "--skip-existing", "a.mlc"]) == ExitCode.OUTPUT
    assert soundfile.info("a.wav").frames == 16000


def test_skip_existing_recognises_decoded_audio(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compress", "-q", "talk.wav", "a.mlc"])
    for options in ([], ["--rate", "8000"], ["--start", "1"]):
        for run in ("first", "again"):
            assert main(["decompress", "--json", "--skip-existing", *options, "a.mlc"]) == 0, run
        statuses = [json.loads(line)["status"] for line in capsys.readouterr().out.splitlines()]
        assert statuses == ["done", "skipped"]
        Path("a.wav").unlink()


def test_a_tree_is_mirrored_there_and_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in/deep").mkdir(parents=True)
    for name in ("in/a.wav", "in/deep/b.wav"):
        Path(name).write_bytes(wav(noise(0.3)))
    assert main(["compress", "-r", "in", "-o", "coded"]) == 0
    assert last_line(capsys) == "2 done, 0 skipped, 0 failed"
    assert main(["decompress", "-r", "coded", "-o", "out"]) == 0
    assert soundfile.info("out/deep/b.wav").frames == 4800
    assert sorted(path.name for path in Path("out").rglob("*.*")) == ["a.wav", "b.wav"]


def test_a_full_disk_fails_the_file_and_not_the_batch(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("full.wav.mlc").symlink_to("/dev/full")
    os.link("talk.wav", "full.wav")
    assert main(["compress", "full.wav"]) == ExitCode.INTERNAL
    assert last_line(capsys) == "melcodec: full.wav.mlc: no space left on device"
    Path("long.wav").write_bytes(wav(noise(20)))
    with file_size_limit(300):
        assert main(["compress", "-q", "long.wav", "talk.wav"]) == ExitCode.BATCH
    first, last = capsys.readouterr().err.splitlines()
    assert first == "melcodec: long.wav.mlc: file too large"
    assert last == "melcodec: 1 done, 0 skipped, 1 failed"
    assert names(folder) == ["full.wav", "full.wav.mlc", "long.wav", "talk.wav", "talk.wav.mlc"]
    assert main(["verify", "-q", "talk.wav.mlc"]) == 0


def test_the_good_files_of_a_folder_full_of_trouble_are_converted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each failure is reported by name and reason, in a line on stderr and one in the report."""
    Path("in/sub").mkdir(parents=True)
    for name in ("in/a.wav", "in/sub/z.wav"):
        os.link("talk.wav", name)
    Path("in/broken.wav").write_bytes(b"RIFF\x04\0\0\0WAVE")
    Path("in/gone.wav").symlink_to("absent.wav")
    os.mkfifo("in/pipe.wav")
    Path("in/taken.wav").write_bytes(wav(noise(0.1)))
    Path("out").mkdir()
    Path("out/taken.wav.mlc").write_text("mine")
    unreadable_folder("in/sub")
    code = main(["compress", "-r", "in", "-o", "out", "--report", "run.jsonl"])
    assert code == ExitCode.BATCH
    found = {
        record["source"]: record for record in map(json.loads, Path("run.jsonl").read_text().splitlines())
    }
    (unreadable,) = (name for name in found if name.startswith("in/sub/d"))
    reasons = {
        "in/broken.wav": "a WAV header without audio",
        "in/gone.wav": "no such file",
        "in/pipe.wav": "is not a regular file",
        "in/taken.wav": "already exists (use --force to replace it)",
        unreadable: "cannot be read: file name too long",
    }
    assert {name: record["error"] for name, record in found.items() if record["error"]} == reasons
    assert {name for name, record in found.items() if record["status"] == "done"} == {
        "in/a.wav",
        "in/sub/z.wav",
    }
    lines = capsys.readouterr().err.splitlines()
    told = {
        name if name != "in/taken.wav" else "out/taken.wav.mlc": reason for name, reason in reasons.items()
    }
    assert {f"melcodec: {name}: {reason}" for name, reason in told.items()} <= set(lines)
    assert lines[-1] == "melcodec: 2 done, 0 skipped, 5 failed"
    assert names(folder / "out") == ["a.wav.mlc", "sub", "taken.wav.mlc"]
