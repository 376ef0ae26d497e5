"""bench and demo run on the bundled clip and say what they found."""

import json
from pathlib import Path

import pytest
import soundfile

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.evaluate.clip import CLIP
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


def test_the_clip_is_ten_seconds_of_mono_speech_with_its_licence() -> None:
    info = soundfile.info(CLIP)
    assert (info.frames, info.samplerate, info.channels) == (160_000, 16_000, 1)
    assert "CC BY 4.0" in (CLIP.parent / "LICENSE").read_text()


@pytest.mark.parametrize("steps", [0, 2])
def test_bench_reports_every_stage_and_both_directions(
    only_tiny_bundle: Path, steps: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--json", "--seconds", "3", "--repeat", "2", "--steps", str(steps)]) == 0
    found = json.loads(capsys.readouterr().out)
    names = ["mel", "timbre", "encoder", "search", "decoder", "refiner", "pitch", "vocoder", "all else"]
    assert [stage["name"] for stage in found["stages"]] == [
        name for name in names if steps or name != "refiner"
    ]
    assert [way["name"] for way in found["ways"]] == ["compress", "decompress"]
    assert (found["model"], found["options"]) == ("speech-16k", {"steps": steps})
    assert (found["duration_s"], found["repeats"]) == (3.0, 2)
    for figures in found["stages"] + found["ways"]:
        assert figures["seconds"] > 0
        assert figures["times_real_time"] == pytest.approx(3.0 / figures["seconds"])
    parameters = {stage["name"]: stage["parameters"] for stage in found["stages"]}
    assert parameters["encoder"] > 1000 and parameters["all else"] is None


def test_bench_takes_the_user_s_recordings(
    only_tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(noise(0.4, 8000, channels=2), 8000))
    assert main(["bench", "--seconds", "1", "--repeat", "1", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "1 s with speech-16k on cpu" in table and "vocoder" in table and "decompress" in table


def test_bench_measures_the_model_that_is_named_and_says_so(
    only_tiny_bundle: Path, tiny_48k_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--bundle", str(tiny_48k_bundle), "--seconds", "1", "--repeat", "1"]
    assert main(["bench", *arguments]) == 0
    assert capsys.readouterr().out.startswith("1 s with speech-48k on cpu")


def test_bench_compares_clips_with_one_file_of_the_same_audio(
    only_tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "--batch", "--seconds", "10", "--repeat", "1", "--steps", "0"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["clips"], found["clip_s"], found["duration_s"]) == (3, 3, 9.0)
    for figures, name in zip(found["ways"], ("compress", "decompress"), strict=True):
        assert figures["name"] == name
        assert figures["ratio"] == pytest.approx(figures["clips_s"] / figures["one_file_s"])
    assert main(arguments) == 0
    assert "3 clips of 3 s against one file of 9 s" in capsys.readouterr().out


def test_demo_leaves_recordings_and_a_picture(
    only_tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    assert main(["demo", str(folder)]) == 0
    captured = capsys.readouterr()
    table = "".join(captured.err.split())  # in which long names are folded
    assert "original.flac.mlc" in table and "decoded.wav" in table
    assert f"look at {folder}/spectrograms.png" in captured.out
    assert soundfile.info(folder / "decoded.wav").frames == 160_000
    assert (folder / "spectrograms.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(folder.iterdir())) == 4


def test_demo_replaces_an_earlier_one_only_with_force(
    only_tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decoded.wav").write_text("mine")
    assert main(["demo", str(tmp_path)]) == ExitCode.OUTPUT
    assert [path.name for path in tmp_path.iterdir()] == ["decoded.wav"]
    assert main(["demo", "--force", str(tmp_path)]) == 0
    assert soundfile.info(tmp_path / "decoded.wav").frames == 160_000
