"""Pictures of a run that has just begun, and their axes."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from melcodec_cli.train.plot import plot_run
from melcodec_cli.train.scale import scale_of

pytestmark = pytest.mark.slow


def run_folder(folder: Path, command: str, minutes: list[float], bands: int = 80) -> Path:
    """The files of a run that was interrupted after a few log lines."""
    stage = folder / "coder"
    stage.mkdir(parents=True)
    with (stage / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["step", "minutes", "loss"])
        rows.writerows([[100 * place, at, 1 / (1 + place)] for place, at in enumerate(minutes)])
    np.save(stage / "sample.npy", np.zeros((2, 200, bands), np.float16))
    legs = json.dumps([{"command": command, "steps": 1, "minutes": 1.0}])
    save_file({"x": np.zeros(1, np.float32)}, stage / "stage.safetensors", {"legs": legs})
    save_file({"measured": np.full(200, 100, np.float32)}, stage / "curves.safetensors")
    return folder


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn, kept open."""
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="plots need the extra train")
    kept: list[Any] = []
    monkeypatch.setattr(pyplot, "close", kept.append)
    return kept


def test_a_short_run_is_drawn_in_seconds_and_hertz_with_visible_points(
    tmp_path: Path, figures: list[Any]
) -> None:
    plot_run(run_folder(tmp_path / "run", "melcodec train coder --preset tiny", [0.1]), tmp_path)
    curve, original, rendered, pitch = figures[0].axes
    assert curve.get_xlabel() == "seconds"
    (line,) = curve.lines
    assert line.get_xdata() == pytest.approx([6]) and line.get_marker() == "o" and line.get_markersize() >= 6
    for panel in (original, rendered):
        assert panel.get_xlabel() == "seconds" and panel.get_xlim() == (0, 2)  # frames of 10 ms
        shown = {
            label.get_text(): tick
            for tick, label in zip(panel.get_yticks(), panel.get_yticklabels(), strict=True)
        }
        assert (
            "1 kHz" in shown
            and 15 < shown["1 kHz"] < 35
            and shown["8 kHz" if "8 kHz" in shown else "4 kHz"] > 50
        )
    assert pitch.get_xlim() == (0, 2) and pitch.lines[0].get_xdata()[-1] == pytest.approx(1.995)


def test_a_long_run_is_drawn_in_minutes(tmp_path: Path, figures: list[Any]) -> None:
    plot_run(run_folder(tmp_path / "run", "melcodec train coder", list(range(40))), tmp_path)
    curve = figures[0].axes[0]
    assert curve.get_xlabel() == "minutes" and curve.lines[0].get_marker() == "."
    assert curve.lines[0].get_xdata()[-1] == 39


@pytest.mark.parametrize(
    ("command", "bands", "frame_s", "highest_hz"),
    [
        ("melcodec train coder --preset tiny --run x", 80, 0.01, 8000),
        ("melcodec train coder --preset=speech-48k", 104, 240 / 48000, 20_108.4),
        ("melcodec train coder", 80, 0.01, 8000),
    ],
)
def test_the_scale_is_that_of_the_preset_that_was_typed(
    tmp_path: Path, command: str, bands: int, frame_s: float, highest_hz: float
) -> None:
    scale = scale_of(run_folder(tmp_path, command, [1]) / "coder" / "stage.safetensors", bands)
    assert scale is not None and scale.frame_s == pytest.approx(frame_s)
    assert 0.9 * highest_hz < scale.bands_hz[-1] <= highest_hz and (np.diff(scale.bands_hz) >= 0).all()


@pytest.mark.parametrize(
    "command", ["melcodec train coder --preset gone.toml", "--preset nobody's", "x --preset none"]
)
def test_without_the_preset_axes_count_frames_and_bands(
    tmp_path: Path, figures: list[Any], command: str
) -> None:
    plot_run(run_folder(tmp_path / "run", command, [5]), tmp_path)
    panel = figures[0].axes[1]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("frames", "bands")
    assert scale_of(tmp_path / "absent", 80) is None
