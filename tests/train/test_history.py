"""The history of a stage is stored with its weights, passed on with them, and packed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from melcodec_cli.cli import main
from melcodec_cli.errors import UsageProblem
from melcodec_cli.train.history import Leg, command_line, legs_of
from melcodec_cli.train.stages import mean_weights

pytestmark = pytest.mark.slow

pytest.importorskip("pyworld", reason="training needs the extra train")


def training_shown(bundle: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert main(["bundle", "show", str(bundle)]) == 0
    stages: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out)["training"]["stages"]
    return stages


def pack(run: Path, bundle: Path) -> None:
    preset = str(run / "tiny.toml")
    assert main(["bundle", "pack", str(run), str(bundle), "--preset", preset, "--force"]) == 0


def test_every_leg_of_the_training_is_in_the_bundle(
    run: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The legs of a run, of one that starts from its weights, and of the latter resumed."""
    first, folder = run / "tiny.safetensors", tmp_path / "run"
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("coder", "cache"))
    more = ["--preset", str(run / "tiny.toml"), "--data", str(speech), "--cache", str(run / "cache")]
    more += ["--run", str(folder), "--device", "cpu"]
    assert main(["train", "coder", *more, "--init", str(first), "--steps", "2"]) == 0
    assert main(["train", "coder", *more, "--resume", "--steps", "3"]) == 0
    legs = legs_of(folder / "coder" / "checkpoint.safetensors", "coder")
    assert [(leg.steps, leg.init) for leg in legs] == [(8, ""), (2, str(first)), (1, "")]
    assert legs == legs_of(folder / "coder" / "stage.safetensors", "coder")

    pack(folder, folder / "more.safetensors")
    stages = training_shown(folder / "more.safetensors", capsys)
    assert (stages["coder"]["step"], stages["coder"]["total_steps"]) == (3, 11)
    assert stages["coder"]["total_minutes"] == pytest.approx(sum(leg.minutes for leg in legs), abs=0.01)
    assert stages["coder"]["legs"] == [leg.to_dict() for leg in legs]
    assert legs_of(folder / "more.safetensors", "coder") == legs
    assert [leg.command.split()[:3] for leg in legs] == [
        ["melcodec", "train", "all"],
        ["melcodec", "train", "coder"],
        ["melcodec", "train", "coder"],
    ]
    assert stages["pitch"]["total_steps"] == 8


def test_several_runs_make_a_mean_with_the_legs_of_all(run: Path, speech: Path, tmp_path: Path) -> None:
    common = ["train", "coder", "--preset", str(run / "tiny.toml"), "--data", str(speech)]
    common += ["--cache", str(run / "cache"), "--device", "cpu", "--steps", "1"]
    one, two, both = (tmp_path / name for name in ("one", "two", "both"))
    assert main([*common, "--run", str(one), "--init", str(run)]) == 0
    assert main([*common, "--run", str(two)]) == 0
    assert main([*common, "--run", str(both), "--init", str(one), "--init", str(two)]) == 0
    told = legs_of(both / "coder" / "stage.safetensors", "coder")
    assert [(leg.steps, leg.init) for leg in told] == [
        *((8, ""), (1, str(run)), (1, "")),
        (1, f"{one}, {two}"),
    ]
    mean = mean_weights([load_file(folder / "coder" / "stage.safetensors") for folder in (one, two)])
    made = load_file(both / "coder" / "stage.safetensors")
    for key in set(mean) - {
        "quantiser.codebook",
        "quantiser.usage",
    }:  # a step later; clustering takes longer ones
        assert torch.allclose(made[key], mean[key], atol=2e-3), key


def test_training_that_starts_from_a_bundle_keeps_its_codewords(
    run: Path, speech: Path, tmp_path: Path
) -> None:
    common = ["train", "coder", "--preset", str(run / "tiny.toml"), "--data", str(speech)]
    common += ["--cache", str(run / "cache"), "--device", "cpu", "--steps", "1"]
    assert main([*common, "--run", str(tmp_path), "--init", str(run / "tiny.safetensors")]) == 0
    shipped = load_file(run / "tiny.safetensors")["coder.quantiser.codebook"].float()
    codebook = load_file(tmp_path / "coder" / "stage.safetensors")["quantiser.codebook"]
    assert torch.allclose(codebook, shipped, atol=2e-3)


def test_weights_of_other_networks_are_not_averaged(run: Path) -> None:
    coder, pitch = (load_file(run / stage / "stage.safetensors") for stage in ("coder", "pitch"))
    with pytest.raises(UsageProblem, match="cannot be averaged"):
        mean_weights([coder, pitch])


def test_files_of_an_older_release_give_what_history_they_have(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("cache"))
    progress = {"progress": json.dumps({"step": 70, "elapsed_s": 90.0})}
    for stage, notes in {"coder": progress, "pitch": None, "refiner": progress, "vocoder": None}.items():
        path = folder / stage / "stage.safetensors"
        save_file(load_file(path), path, notes)
    (folder / "refiner" / "log.csv").write_text("")
    (folder / "vocoder" / "log.csv").unlink()
    pack(folder, folder / "old.safetensors")
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2] for line in told] == [
        "no figures for the stage refiner, so the bundle gets none",
        "no figures for the stage vocoder, so the bundle gets none",
    ]
    stages = training_shown(folder / "old.safetensors", capsys)
    assert stages["coder"]["legs"] == stages["refiner"]["legs"] == [{"steps": 70, "minutes": 1.5}]
    assert stages["coder"]["step"] == 8 and "step" not in stages["refiner"]
    assert stages["pitch"]["total_steps"] == 8
    assert stages["vocoder"] == {}


@pytest.mark.parametrize(
    "notes",
    [{"legs": "["}, {"legs": '[{"steps": "many"}]'}, {"legs": "7"}, {"training": '{"stages": [1]}'}, {}],
    ids=["no JSON", "no numbers", "no list", "no stages", "nothing"],
)
def test_invalid_history_is_ignored(notes: dict[str, str], run: Path, tmp_path: Path) -> None:
    path = tmp_path / "stage.safetensors"
    save_file(load_file(run / "pitch" / "stage.safetensors"), path, notes)
    assert legs_of(path, "coder") == []


def test_a_command_line_names_no_more_of_the_home_than_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    typed = ["train", "all", "--data", "/home/ada/my speech", "--run", "runs/mine", "--cache", "/home/adam/c"]
    assert (
        command_line(typed) == "melcodec train all --data ~/'my speech' --run runs/mine --cache /home/adam/c"
    )


def test_unknown_values_of_a_leg_are_left_out() -> None:
    assert Leg("", "", 5, 0.5).to_dict() == {"steps": 5, "minutes": 0.5}
