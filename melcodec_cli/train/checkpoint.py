"""Files of a run that training goes on from: tensors in safetensors, the moments of an optimiser among them."""

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
    """Hours of training must not be lost by a forgotten flag."""
    checkpoint = (folder / "checkpoint.safetensors").exists()
    if checkpoint and not resume:
        raise OutputExists("trained already; --resume goes on, --force begins again", folder)
    if not checkpoint and (folder / "stage.safetensors").exists():
        raise OutputExists(
            "trained already, without a checkpoint to go on from; --force begins again", folder
        )


def save_atomically(tensors: Mapping[str, Tensor], path: Path, notes: dict[str, str]) -> None:
    data = save({name: value.contiguous().clone() for name, value in tensors.items()}, notes)
    with output_file(path, force=True) as file:
        file.write(data)


def read(path: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and notes."""
    with safe_open(path, "pt", device=str(device)) as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata()


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def moments(optimiser: Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers, as INDEX.NAME of each parameter."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": value for index, each in state.items() for name, value in each.items()}


def restore_moments(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = optimiser.param_groups[0]["params"]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        if value.shape == parameters[int(index)].shape:
            # The fused kernel walks memory: moments must lie in it as the weights do (channels last).
            value = torch.empty_like(parameters[int(index)]).copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
