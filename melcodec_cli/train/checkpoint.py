"""Checkpoints: safetensors files from which training can resume, including the optimiser's moments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from melcodec_cli.errors import OutputExists
from melcodec_cli.files.atomic import output_file


def refuse_to_lose(folder: Path, resume: bool) -> None:
    """Refuse to overwrite a trained stage, so that a forgotten flag cannot cost hours of training."""
    checkpoint = (folder / "checkpoint.safetensors").exists()
    if checkpoint and not resume:
        raise OutputExists("already trained; use --resume to continue or --force to start over", folder)
    if not checkpoint and (folder / "stage.safetensors").exists():
        raise OutputExists(
            "already trained, but there is no checkpoint to resume from; use --force to start over", folder
        )


def save_atomically(tensors: Mapping[str, Tensor], path: Path, notes: dict[str, str]) -> None:
    data = save({name: value.contiguous().clone() for name, value in tensors.items()}, notes)
    with output_file(path, force=True) as file:
        file.write(data)


def read(path: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the metadata."""
    with safe_open(path, "pt", device=str(device)) as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata()


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def moments(optimiser: Optimizer) -> dict[str, Tensor]:
    """The optimiser's state, as INDEX.NAME for each parameter."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": value for index, each in state.items() for name, value in each.items()}


def restore_moments(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = optimiser.param_groups[0]["params"]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        if value.shape == parameters[int(index)].shape:
            # The fused kernel needs moments with the same memory layout as the weights (channels last).
            value = torch.empty_like(parameters[int(index)]).copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
