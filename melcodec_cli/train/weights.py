"""Reads the weights of stages from runs and bundles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from melcodec_cli.errors import UsageProblem
from melcodec_cli.train.stage import ALONG, Part, Stage, Weights


def trained(part: Part, folder: Path) -> Part | None:
    """The part with the averaged weights of a run, or None if there are none."""
    path = folder / "stage.safetensors"
    if not path.exists():
        return None
    weights = load_file(path)
    part.load_state_dict({key: value for key, value in weights.items() if not key.startswith(ALONG)})
    return part.eval()


def trained_along(folder: Path) -> dict[str, Weights]:
    """The weights of other parts that a stage has trained along with its own, by name."""
    parts: dict[str, Weights] = {}
    for key, value in load_file(folder / "stage.safetensors").items():
        if key.startswith(ALONG):
            name, inner = key.removeprefix(ALONG).split(".", 1)
            parts.setdefault(name, {})[inner] = value
    return parts


def weights_file(path: Path, stage: str) -> Path:
    """The file with the weights of one stage, given a bundle, a run's folder or a stage file."""
    if path.is_dir():
        path = path / stage / "stage.safetensors" if (path / stage).is_dir() else path / "stage.safetensors"
    if not path.exists():
        raise UsageProblem(f"{path}: no weights to start from")
    return path


def mean_weights(runs: Sequence[Weights]) -> Weights:
    """The mean of several runs; if they started from the same weights, it is often better than each of them."""
    if len({tuple((key, weights[key].shape) for key in sorted(weights)) for weights in runs}) > 1:
        raise UsageProblem("--init: the weights belong to different networks and cannot be averaged")
    return {key: torch.stack([weights[key] for weights in runs]).mean(0) for key in runs[0]}


def stage_weights(path: Path, stage: Stage) -> Weights:
    """The weights of one stage from a bundle or a stage file."""
    try:
        tensors = {key: value.float() for key, value in load_file(path).items()}
    except SafetensorError as error:
        raise UsageProblem(f"no weights to start from: {error}", path) from None
    start = f"{stage.name}."
    inner = {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
    return stage.completed(inner) if inner else tensors
