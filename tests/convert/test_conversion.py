"""compress and decompress as a shell sees them: names, streams, exit codes, reports."""

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mlcfile import Reader

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from tests.shell import last_line, names
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


def test_compress_and_decompress_name_their_outputs_and_report_on_stderr(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compress", "talk.wav"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "talk.wav.mlc" in captured.err and "0:02.00" in captured.err and "real time" in captured.err
    (folder / "talk.wav").unlink()
    assert main(["decompress", "talk.wav.mlc"]) == 0
    assert names(folder) == ["talk.wav", "talk.wav.mlc"]
    assert soundfile.info("talk.wav").frames == 32000


def test_the_second_of_two_names_is_the_output(folder: Path) -> None:
    assert main(["compress", "talk.wav", "small.mlc"]) == 0
    assert main(["decompress", "small.mlc", "back.flac"]) == 0
    assert names(folder) == ["back.flac", "small.mlc", "talk.wav"]
    assert soundfile.info("back.flac").format == "FLAC"


def test_quiet_says_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "-q", "talk.wav"]) == 0
    assert capsys.readouterr() == ("", "")


def test_verbose_names_the_model_and_the_device(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "-v", "--device", "cpu", "talk.wav"]) == 0
    assert "tiny.safetensors: bitstream" in capsys.readouterr().err


def test_standard_input_and_output_carry_data(
    folder: Path, feed: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    feed((folder / "talk.wav").read_bytes())
    assert main(["compress", "-q", "-"]) == 0
    data = capfdbinary.readouterr().out
    assert Reader(io.BytesIO(data)).header.rate_hz == 16000
    feed(data)
    assert main(["decompress", "-q", "-", "-"]) == 0
    audio, rate_hz = soundfile.read(io.BytesIO(capfdbinary.readouterr().out))
    assert (len(audio), rate_hz) == (32000, 16000)
    assert names(folder) == ["talk.wav"]


@pytest.mark.parametrize("keep", [False, True], ids=["mixed", "kept"])
def test_the_number_of_channels_of_the_output(folder: Path, keep: bool) -> None:
    Path("two.wav").write_bytes(wav(noise(1, channels=2)))
    assert main(["compress", "-q", "--channels", "keep" if keep else "mix", "two.wav", "a.mlc"]) == 0

    def decompressed(channels: int) -> Any:
        arguments = ["--skip-existing", "--subtype", "FLOAT", "--channels", str(channels)]
        for _ in ("made", "skipped"):
            assert main(["decompress", "-q", *arguments, "a.mlc", f"{channels}.wav"]) == 0
        return soundfile.read(f"{channels}.wav", always_2d=True)[0]

    one, two = decompressed(1), decompressed(2)
    assert (one.shape, two.shape) == ((16000, 1), (16000, 2))
    np.testing.assert_allclose(one[:, 0], two.mean(axis=1), atol=1e-5)
    assert keep == (two[:, 0] != two[:, 1]).any()
    if keep:
        assert main(["decompress", "--channels", "3", "a.mlc", "3.wav"]) == ExitCode.USAGE
    else:
        assert decompressed(3).shape == (16000, 3)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["compress"], "missing argument"),
        (["compress", "absent.wav"], "absent.wav: no such file"),
        (["decompress", "absent.mlc"], "absent.mlc: no such file"),
        (["compress", "--raw", "talk.wav"], "--raw needs --rate"),
        (["compress", "--rate", "8000", "talk.wav"], "need --raw"),
        (["compress", "--channels", "2", "talk.wav"], "need --raw"),
        (["compress", "--channels", "both", "talk.wav"], "neither mix nor keep"),
        (["decompress", "--format", "s16le", "talk.wav"], "use it with --raw"),
        (["decompress", "--format", "docx", "talk.wav"], "is not one of"),
        (["compress", "--raw", "--raw-rate", "7", "talk.wav"], "7 hz"),
        (["compress", "--chunk-seconds", "0.1", "talk.wav"], "outside 0.5 to 60 s"),
        (["compress", "--force", "--skip-existing", "talk.wav"], "cannot be combined"),
        (["compress", "--json", "talk.wav", "-"], "--json"),
        (["compress", "talk.wav", "nowhere/out.mlc"], "does not exist"),
        (["decompress", "--start", "3:xx", "a.mlc"], "is not a time"),
        (["decompress", "--start", "2", "--end", "1:00:00", "--rate", "100", "a.mlc"], "neither a rate"),
        (["decompress", "--start", "2", "--end", "1", "talk.wav"], "not after the start"),
        (["decompress", "--raw", "--format", "wav", "talk.wav"], "cannot be combined"),
        (["decompress", "talk.wav", "talk.docx"], "unknown audio format"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    folder: Path, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert complaint in err.lower() and err.count("\n") == 1
    assert names(folder) == ["talk.wav"]


def test_a_binary_stream_is_neither_read_from_nor_written_to_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["compress", "talk.wav", "-"]) == ExitCode.USAGE
    assert "standard output is a terminal" in last_line(capsys)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert main(["compress", "-", "a.mlc"]) == ExitCode.USAGE
    assert "standard input is a terminal" in last_line(capsys)


def test_an_existing_output_is_kept_unless_forced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("talk.wav.mlc").write_text("mine")
    assert main(["compress", "talk.wav"]) == ExitCode.OUTPUT
    assert "talk.wav.mlc: already exists (use --force to replace it)" in last_line(capsys)
    assert Path("talk.wav.mlc").read_text() == "mine"
    assert main(["compress", "--force", "talk.wav"]) == 0
    assert main(["verify", "talk.wav.mlc"]) == 0


@pytest.mark.parametrize("link", [None, os.link, os.symlink], ids=["itself", "hard link", "symbolic link"])
def test_an_input_is_never_the_output_not_even_by_force(folder: Path, link: Any) -> None:
    before = (folder / "talk.wav").read_bytes()
    if link:
        link("talk.wav", "other.mlc")
    target = "other.mlc" if link else "talk.wav"
    assert main(["compress", "--force", "talk.wav", "-o", target]) == ExitCode.OUTPUT
    assert (folder / "talk.wav").read_bytes() == before


def test_unreadable_audio_and_other_files_than_mlc_have_their_exit_codes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("noise.wav").write_bytes(b"not audio at all")
    assert main(["compress", "noise.wav"]) == ExitCode.AUDIO_UNREADABLE
    assert main(["decompress", "talk.wav", "x.wav"]) == ExitCode.MLC_CORRUPT
    assert "talk.wav" in last_line(capsys)
    assert names(folder) == ["noise.wav", "talk.wav"]


def test_a_file_given_to_the_wrong_command_is_named_for_what_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """This holds even if the file would itself be the output."""
    before = Path("talk.wav").read_bytes()
    assert main(["decompress", "talk.wav"]) == ExitCode.MLC_CORRUPT
    assert last_line(capsys) == "melcodec: talk.wav: not an .mlc file: it looks like a WAV file"
    assert main(["decompress", "--force", "talk.wav"]) == ExitCode.MLC_CORRUPT
    assert Path("talk.wav").read_bytes() == before
    assert main(["compress", "-q", "talk.wav", "a.mlc"]) == 0
    for arguments in (["a.mlc"], ["-o", "a.mlc", "a.mlc"]):
        assert main(["compress", *arguments]) == ExitCode.AUDIO_UNREADABLE
        assert last_line(capsys) == (
            "melcodec: a.mlc: is already an .mlc file; use melcodec decompress to turn it into audio"
        )
    os.rename("a.mlc", "a.wav")  # an .mlc file under the name of its own output
    assert main(["decompress", "--force", "a.wav"]) == ExitCode.OUTPUT
    assert main(["decompress", "--dry-run", "a.wav"]) == ExitCode.OUTPUT
    assert names(folder) == ["a.wav", "talk.wav"]


def test_truncated_file_recovers_complete_chunks_and_exits_4(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compress", "-q", "talk.wav", "whole.mlc"])
    Path("part.mlc").write_bytes(Path("whole.mlc").read_bytes()[:-12])
    assert main(["decompress", "part.mlc"]) == ExitCode.MLC_CORRUPT
    assert "the 1.60 s before that were decoded" in last_line(capsys)
    assert soundfile.info("part.wav").frames == 25600


def test_damaged_file_leaves_nothing_unless_concealed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compress", "-q", "talk.wav", "a.mlc"])
    data = bytearray(Path("a.mlc").read_bytes())
    data[50] ^= 1
    Path("a.mlc").write_bytes(data)
    assert main(["decompress", "a.mlc"]) == ExitCode.MLC_CORRUPT
    assert names(folder) == ["a.mlc", "talk.wav"]
    assert main(["decompress", "--conceal", "--json", "a.mlc"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["lost_s"] == [[0.0, 1.6]]
    assert "a.mlc: lost 0.00-1.60 s" in captured.err
    assert soundfile.info("a.wav").frames == 32000


def test_json_has_stable_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "--json", "talk.wav"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    record = json.loads(captured.out)
    size = Path("talk.wav.mlc").stat().st_size
    expected = {
        "source": "talk.wav",
        "target": "talk.wav.mlc",
        "status": "done",
        "duration_s": 2.0,
        "rate_hz": 16000,
        "channels": 1,
        "mlc_bytes": size,
        "payload_bits": 50 * 10 + 2 * 8 * 3,  # and the timbre of two chunks
        "bundle": "speech-16k",
        "lost_s": [],
        "exit_code": 0,
        "error": None,
        "payload_bits_per_s": 274.0,
        "total_bits_per_s": 4 * size,
    }
    assert expected.items() <= record.items()
    assert sorted(set(record) - set(expected)) == ["elapsed_s", "times_real_time"]
    assert main(["decompress", "--json", "talk.wav.mlc", "back.wav"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(record)


def test_tags_are_copied_unless_told_otherwise(folder: Path) -> None:
    with soundfile.SoundFile("song.flac", "w", 16000, 1) as file:
        file.title = "Two seconds"
        file.write(noise(2))
    main(["compress", "song.flac", "with.mlc"])
    main(["compress", "--no-tags", "song.flac", "without.mlc"])
    titles = {}
    for name, options in (("with", []), ("without", []), ("with", ["--no-tags"])):
        main(["decompress", "--force", *options, f"{name}.mlc", "back.flac"])
        titles[name, len(options)] = soundfile.SoundFile("back.flac").title
    assert titles == {("with", 0): "Two seconds", ("without", 0): "", ("with", 1): ""}


def test_rate_and_subtype_of_the_output(folder: Path) -> None:
    Path("high.wav").write_bytes(wav(noise(1, 44100), 44100))
    main(["compress", "high.wav", "high.mlc"])
    for rate, found in (("model", 16000), ("8000", 8000)):
        main(["decompress", "--force", "--rate", rate, "--subtype", "PCM_24", "high.mlc", "back.wav"])
        info = soundfile.info("back.wav")
        assert (info.samplerate, info.frames, info.subtype) == (found, found, "PCM_24")


def test_times_are_seconds_or_clocks(folder: Path) -> None:
    main(["compress", "talk.wav", "a.mlc"])
    assert main(["decompress", "--start", "0:01", "--end", "0:00:01.5", "a.mlc"]) == 0
    assert soundfile.info("a.wav").frames == 8000


def test_an_empty_recording_comes_back_empty(folder: Path) -> None:
    Path("empty.wav").write_bytes(wav(noise(0)))
    assert main(["compress", "empty.wav"]) == 0
    Path("empty.wav").unlink()
    assert main(["decompress", "empty.wav.mlc"]) == 0
    assert soundfile.info("empty.wav").frames == 0


def test_an_empty_recording_counts_with_its_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.wav").write_bytes(wav(noise(0)))
    assert main(["compress", "-q", "empty.wav"]) == 0
    assert main(["decompress", "--json", "empty.wav.mlc", "back.wav"]) == 0
    assert json.loads(capsys.readouterr().out)["mlc_bytes"] == Path("empty.wav.mlc").stat().st_size


@pytest.mark.parametrize("way", ["file", "pipe"])
def test_a_recording_with_a_sample_that_is_not_sound_is_unreadable_and_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    audio = noise(3)
    audio[40_000] = np.nan
    Path("bad.wav").write_bytes(wav(audio))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(wav(audio))))
    assert main(["compress", "bad.wav" if way == "file" else "-", "bad.mlc"]) == ExitCode.AUDIO_UNREADABLE
    assert last_line(capsys).endswith(": the sample at 2.500 s is nan, which is not sound (full scale is 1)")
    assert names(folder) == ["bad.wav", "talk.wav"]


def test_a_possible_original_is_not_replaced_without_warning(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following the message must not replace a recording with its own copy at 250 bit/s."""
    assert main(["compress", "-q", "talk.wav"]) == 0
    before = Path("talk.wav").read_bytes()
    assert main(["decompress", "talk.wav.mlc"]) == ExitCode.OUTPUT
    message = "already exists, and may be the original recording; name another output with -o, or use --force"
    assert last_line(capsys) == f"melcodec: talk.wav: {message} to replace it"
    questions = []
    monkeypatch.setattr("melcodec_cli.convert.run.someone_answers", lambda: True)
    monkeypatch.setattr("click.confirm", lambda question, err: questions.append(question))
    assert main(["decompress", "talk.wav.mlc"]) == ExitCode.OUTPUT
    assert questions == ["talk.wav already exists, and may be the original recording; replace it?"]
    assert main(["decompress", "talk.wav.mlc", "talk.wav"]) == ExitCode.OUTPUT
    assert questions[1:] == ["talk.wav already exists; replace it?"]
    assert "original" not in last_line(capsys)
    assert Path("talk.wav").read_bytes() == before


@pytest.mark.parametrize("command", ["compress talk.wav", "decompress --format wav talk.mlc"])
def test_a_full_disk_is_blamed_on_the_output(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main(["compress", "-q", "talk.wav", "talk.mlc"]) == 0
    for full in ("/dev/full", "full.wav", "full.flac"):
        if full != "/dev/full":
            Path(full).symlink_to("/dev/full")
        assert main([*command.split(), "-o", full]) == ExitCode.INTERNAL
        assert last_line(capsys) == f"melcodec: {full}: no space left on device"


def test_a_full_standard_output_is_called_by_its_name(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["compress", "talk.wav", "-"]) == ExitCode.INTERNAL
        assert last_line(capsys) == "melcodec: standard output: no space left on device"
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
