"""The vocoder and the coder's decoder learn together, down to the waveform."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.train.presets import read_preset
from melcodec_cli.train.stage import Weights
from tests.train.tiny import EVERY_LOSS, tiny_preset

pytestmark = pytest.mark.slow

ALONG = "along.decoder."


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "together.toml"
    losses = "together = 0.5\nheard_s = 0.5\n"
    path.write_text(tiny_preset() + EVERY_LOSS.replace("coded = 0.5\n", "coded = 0.9\n" + losses))
    return path


@pytest.fixture
def trained(run: Path, speech: Path, preset: Path, tmp_path: Path) -> Path:
    """The run whose vocoder has gone on for eight steps together with the decoder."""
    folder = tmp_path / "run"
    for stage in ("phones", "coder", "pitch", "refiner"):
        shutil.copytree(run / stage, folder / stage)
    arguments = ["--preset", str(preset), "--data", str(speech), "--cache", str(run / "cache")]
    arguments += ["--run", str(folder), "--init", str(run), "--device", "cpu"]
    assert main(["train", "vocoder", *arguments, "--steps", "6"]) == 0
    assert main(["train", "vocoder", *arguments[:-4], "--device", "cpu", "--steps", "8", "--resume"]) == 0
    return folder


def stage(folder: Path, name: str) -> Weights:
    return load_file(folder / name / "stage.safetensors")


def test_the_decoder_moves_and_the_rest_of_the_coder_stays(trained: Path, run: Path) -> None:
    before, after = stage(run, "coder"), stage(trained, "vocoder")
    decoder = {key.removeprefix(ALONG): value for key, value in after.items() if key.startswith(ALONG)}
    assert decoder.keys() == {key.removeprefix("decoder.") for key in before if key.startswith("decoder.")}
    moved = [not torch.equal(value, before[f"decoder.{key}"]) for key, value in decoder.items()]
    assert sum(moved) > 0.9 * len(moved)
    closeness = [(value - before[f"decoder.{key}"]).abs().max().item() for key, value in decoder.items()]
    assert max(closeness) < 0.1  # it began with the coder's, not anew
    unchanged = stage(trained, "coder")
    assert all(torch.equal(value, before[key]) for key, value in unchanged.items())


def test_a_bundle_has_the_decoder_that_the_vocoder_learnt_with(
    trained: Path, preset: Path, speech: Path, run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "together.safetensors"
    common = ["--preset", str(preset), "--data", str(speech), "--cache", str(run / "cache")]
    assert main(["bundle", "pack", str(trained), str(path), *common]) == 0
    bundle, coder, vocoder = load_file(path), stage(trained, "coder"), stage(trained, "vocoder")
    for key, value in vocoder.items():
        name = key.replace(ALONG, "coder.decoder.") if key.startswith(ALONG) else f"vocoder.{key}"
        assert torch.equal(bundle[name], value.half() if value.is_floating_point() else value)
    assert read_bundle_info(path).name == read_preset(str(preset)).profile["name"]
    kept = [key for key in coder if key.startswith("encoder.")]
    assert kept and all(torch.equal(bundle[f"coder.{key}"], coder[key].half()) for key in kept)


def test_without_a_coder_there_is_nothing_to_learn_with(
    preset: Path, run: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run / "pitch", tmp_path / "alone" / "pitch")
    arguments = ["--preset", str(preset), "--data", str(speech), "--cache", str(run / "cache")]
    status = main(["train", "vocoder", *arguments, "--run", str(tmp_path / "alone"), "--steps", "2"])
    assert status == ExitCode.USAGE
    assert "losses.together needs the coder: train it first" in capsys.readouterr().err
