"""What is checked before a stage is trained: its requirements, and how long it may take."""

import sys
from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.train.presets import preset_names, read_preset
from melcodec_cli.train.stages import Length, shares

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", preset_names())
def test_the_minutes_are_shared_out_among_the_stages_that_the_profile_has(name: str) -> None:
    preset = read_preset(name)
    stages = shares(preset)
    assert ("refiner" in stages) == (preset.profile.get("refiner") is not None)
    trained = [Length(minutes=60).share(share).minutes or 0 for share in stages.values()]
    assert sum(trained) == pytest.approx(60)
    assert Length(steps=5).share(min(stages.values())) == Length(steps=5)


@pytest.mark.parametrize("stage", ["coder", "all"])
def test_two_lengths_are_refused(stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--preset", "tiny", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    assert main(["train", stage, *arguments, "--minutes", "1", "--steps", "1"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "--minutes and --steps" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "package, arguments",
    [
        ("pyworld", ["all", "--preset", "speech-16k", "--data", ".", "--run", "run"]),
        ("pyworld", ["pitch", "--preset", "tiny", "--data", ".", "--run", "run"]),
        ("matplotlib", ["plot", "run"]),
    ],
    ids=["all", "pitch", "plot"],
)
def test_a_missing_extra_is_named_before_any_work(
    package: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["train", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "pip install 'melcodec[train]'" in line and package in line
    assert not list(Path("run").iterdir())


def test_a_stage_that_the_profile_lacks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--preset", "speech-48k", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    assert main(["train", "refiner", *arguments]) == 2
    said = "preset speech-48k has no stage refiner: choose coder, pitch, vocoder\n"
    assert capsys.readouterr().err.endswith(said)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("preset", ["speech-48k", ""])
def test_an_unknown_stage_is_named_before_the_options_that_are_missing(
    preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "refinery", *(["--preset", preset] if preset else [])]) == 2
    assert f"preset {preset or 'speech-16k'} has no stage refinery" in capsys.readouterr().err
    assert main(["train", "coder"]) == 2
    assert "--data" in capsys.readouterr().err


def test_the_stages_of_a_preset_are_listed_in_order_with_their_minutes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "stages", "--preset", "tiny"]) == 0
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()] == [
        ["phones", "0.2 minutes"],
        ["coder", "0.6 minutes"],
        ["pitch", "0.2 minutes"],
        ["refiner", "0.4 minutes"],
        ["vocoder", "0.6 minutes"],
    ]
