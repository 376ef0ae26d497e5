"""Pictures of a run: every logged figure over time, use of the codewords, and a dev clip as the stage renders it, as
log-mels and pitch."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

from melcodec_cli.errors import UsageProblem
from melcodec_cli.train.scale import scale_of

SKIPPED = ("step", "minutes", "rate")
SHORT_MINUTES = 3  # shorter runs are drawn in seconds
FEW_POINTS = 20  # up to this many are drawn as large dots, so that even one is visible


def plot_run(folder: Path, output: Path) -> list[Path]:
    """Draw one PNG for each stage with a log; returns their paths."""
    _require_matplotlib()
    logs = sorted(folder.glob("*/log.csv")) or sorted(folder.glob("log.csv"))
    if not logs:
        raise UsageProblem(f"{folder}: no training log")
    output.mkdir(parents=True, exist_ok=True)
    return [_plot_stage(log, output / f"{log.parent.name}.png") for log in logs]


def _require_matplotlib() -> None:
    try:
        import matplotlib
    except ImportError as error:
        raise UsageProblem(f"plotting needs the extra: pip install 'melcodec[train]' ({error})") from None
    matplotlib.use("Agg")


def _plot_stage(log: Path, path: Path) -> Path:
    import matplotlib.pyplot as plt

    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in SKIPPED]
    sample = log.parent / "sample.npy"
    panels = np.load(sample, allow_pickle=False) if sample.exists() else np.zeros((0, 1, 1))
    usage = _codebook_use(log.parent / "stage.safetensors")
    curves = _curves(log.parent / "curves.safetensors")
    scale = scale_of(log.parent / "stage.safetensors", panels.shape[2])
    frame_s = scale.frame_s if scale else 1
    span = panels.shape[1] * frame_s
    # In minutes, a short run would lie between two ticks.
    unit, unit_s = ("minutes", 1) if float(rows[-1]["minutes"]) >= SHORT_MINUTES else ("seconds", 60)
    columns = 3
    lines = -(-(len(names) + len(usage)) // columns)
    height = lines + len(panels) + bool(curves)
    figure = plt.figure(figsize=(4 * columns, 2.4 * height), layout="constrained")
    grid = figure.add_gridspec(height, columns)
    for number, name in enumerate(names):
        axes = figure.add_subplot(grid[number // columns, number % columns])
        points = [(unit_s * float(row["minutes"]), float(row[name])) for row in rows if row.get(name)]
        few = len(points) <= FEW_POINTS
        axes.plot(*zip(*points, strict=True), marker="o" if few else ".", markersize=7 if few else 3)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel(unit, fontsize=8)
    for number, shares in enumerate(usage, len(names)):
        axes = figure.add_subplot(grid[number // columns, number % columns])
        axes.bar(range(len(shares)), 100 * np.sort(shares)[::-1], width=1)
        axes.set_title("use of the codewords, most used first", fontsize=9)
        axes.set_ylabel("% of the indices", fontsize=8)
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(grid[lines + number, :])
        extent = (0, span, -0.5, panel.shape[1] - 0.5)
        axes.imshow(
            panel.T.astype(np.float32), origin="lower", aspect="auto", vmin=-11.5, vmax=2, extent=extent
        )
        axes.set_xlabel("seconds" if scale else "frames", fontsize=8)
        if scale:
            axes.set_yticks(*scale.ticks(), fontsize=8)
        else:
            axes.set_ylabel("bands", fontsize=8)
        axes.set_title("original" if number == 0 else f"rendered, panel {number}", fontsize=9)
    if curves:
        axes = figure.add_subplot(grid[-1, :])
        for name in sorted(curves, reverse=True):  # measured pitch first
            middles_s = (np.arange(len(curves[name])) + 0.5) * frame_s
            axes.plot(middles_s, curves[name], label=name, linewidth=1)
        axes.set_xlim(0, span)  # like the panels
        axes.set_xlabel("seconds" if scale else "frames", fontsize=8)
        axes.set_title("pitch where voiced", fontsize=9)
        axes.set_ylabel("Hz", fontsize=8)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path


def _curves(path: Path) -> dict[str, np.ndarray]:
    """Pitch of the dev clip, by its origin; empty for stages without pitch."""
    return load_file(path) if path.exists() else {}


def _codebook_use(stage: Path) -> list[np.ndarray]:
    """Share of recent training indices for each codeword; empty for stages without a codebook."""
    if not stage.exists():
        return []
    with safe_open(stage, "numpy") as weights:
        return [weights.get_tensor(name) for name in weights.keys() if name.endswith("quantiser.usage")]  # noqa: SIM118
