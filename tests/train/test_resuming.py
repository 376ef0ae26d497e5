"""A run stops where it can be resumed, continues exactly, and is not lost through a forgotten flag."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from melcodec_cli.cli import main
from melcodec_cli.train.batches import Batches, Crops
from melcodec_cli.train.run import Run
from tests.train.tiny import EVERY_LOSS, rows, tiny_preset

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "stage, stop, status",
    [
        ("coder", signal.SIGINT, 130),
        ("pitch", signal.SIGTERM, 143),
        ("vocoder", signal.SIGTERM, 143),
    ],
)
def test_an_interrupted_and_resumed_run_is_the_uninterrupted_one(
    stage: str,
    stop: signal.Signals,
    status: int,
    run: Path,
    speech: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    preset = tmp_path / "often.toml"
    preset.write_text(
        (tiny_preset() + EVERY_LOSS).replace("minutes =", "dev_steps = 2\nmatrices = 2.0\nminutes =")
    )
    for folder in (tmp_path / "whole", tmp_path / "parts"):
        for other in {"phones", "coder", "pitch", "refiner"} - {stage}:
            shutil.copytree(run / other, folder / other)
    common = ["train", stage, "--preset", str(preset), "--data", str(speech), "--cache", str(run / "cache")]
    common += ["--device", "cpu", "--threads", "1", "--steps", "6"]
    assert main([*common, "--run", str(tmp_path / "whole"), "--resume"]) == 0
    nothing = "no checkpoint to resume from"  # a mistyped folder, say
    assert nothing in capsys.readouterr().err

    draw = Batches.draw

    def draw_and_stop(self: Any, batch: int, samples: int, seed: int) -> Crops:
        if seed == (1_000_003 + 3) * 64:  # in the middle of the fourth step
            os.kill(os.getpid(), stop)
        return draw(self, batch, samples, seed)

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patched:
        patched.setattr(Batches, "draw", draw_and_stop)
        assert main([*common, "--run", str(tmp_path / "parts")]) == status
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    whole, parts = tmp_path / "whole" / stage, tmp_path / "parts" / stage
    assert [row["step"] for row in rows(parts / "log.csv")] == ["2", "4"]
    assert main([*common, "--run", str(tmp_path / "parts"), "--resume"]) == 0
    assert nothing not in capsys.readouterr().err
    assert rows(parts / "log.csv") == rows(whole / "log.csv")
    assert ("adversary" in rows(whole / "log.csv")[-1]) == (stage != "pitch")
    for name in ("checkpoint.safetensors", "stage.safetensors"):
        ours, theirs = load_file(parts / name), load_file(whole / name)
        assert ours.keys() == theirs.keys()
        assert name == "stage.safetensors" or any(key.startswith("matrices.stage.") for key in ours)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_run_whose_time_is_up_while_it_measures_is_saved(
    run: Path, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = Run.evaluate

    def evaluate_at_length(self: Run) -> dict[str, float]:
        time.sleep(1.3)
        return evaluate(self)

    monkeypatch.setattr(Run, "evaluate", evaluate_at_length)
    preset = tmp_path / "often.toml"
    preset.write_text(tiny_preset().replace("minutes =", "dev_minutes = 0.0001\nminutes ="))
    common = ["train", "pitch", "--preset", str(preset), "--data", str(speech), "--cache", str(run / "cache")]
    assert main([*common, "--run", str(tmp_path), "--minutes", "0.02"]) == 0
    assert (tmp_path / "pitch" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("stage", ["vocoder", "all"])
def test_what_was_trained_is_replaced_only_on_request(
    stage: str, run: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run / "pitch", tmp_path / "pitch")
    shutil.copytree(run / "vocoder", tmp_path / "vocoder")
    trained = (tmp_path / "vocoder" / "stage.safetensors").read_bytes()
    common = ["train", stage, "--preset", "tiny", "--data", str(speech), "--cache", str(run / "cache")]
    common += ["--run", str(tmp_path), "--device", "cpu", "--steps", "1"]
    assert main(common) == 6
    [line] = capsys.readouterr().err.splitlines()
    assert "use --resume to continue" in line and "--force to start over" in line
    (tmp_path / "vocoder" / "checkpoint.safetensors").unlink()
    assert main([*common, "--resume"]) == 6
    [line] = capsys.readouterr().err.splitlines()
    assert "vocoder" in line and "no checkpoint" in line
    assert (tmp_path / "vocoder" / "stage.safetensors").read_bytes() == trained
    assert not (tmp_path / "coder").exists()
    assert main([*common, "--force"]) == 0
    assert (tmp_path / "vocoder" / "stage.safetensors").read_bytes() != trained
