"""How a system declares each of its parts that are trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from melcodec_cli.train.ahead import Source
    from melcodec_cli.train.batches import Crops
    from melcodec_cli.train.corpus import Corpus
    from melcodec_cli.train.presets import Preset
    from melcodec_cli.train.run_config import RunConfig
    from melcodec_cli.train.task import Task

Part = TypeVar("Part", bound=nn.Module)
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Training:
    """What a stage is trained with: the preset, and stages trained earlier in the same folder."""

    preset: Preset
    folder: Path

    def losses(self, stage: str) -> Any:
        return self.preset.stages[stage].losses

    def trained(self, part: Part, stage: str) -> Part | None:
        """The part with the averaged weights of a stage's run, or None if that stage has not been trained."""
        from melcodec_cli.train.weights import trained

        return trained(part, self.folder / stage)


@dataclass(frozen=True)
class Drawing:
    """Where a stage's batches come from."""

    preset: Preset
    corpus: Corpus
    config: RunConfig
    device: torch.device


def _unchanged(weights: Weights) -> Weights:
    return weights


def _nothing(folders: list[Path]) -> None:
    return None


ALONG = "along."  # begins the names of weights of other parts that a stage trains along with its own


@dataclass(frozen=True)
class Stage:
    """One part of a model.

    Its name is that of its folder in a run, of its table [stages.NAME] in a preset and of the system's attribute whose
    weights it trains.
    """

    name: str
    task: Callable[[Training], Task]
    losses: type | None = None  # dataclass of the table [stages.NAME.losses]
    draws: Callable[[Drawing], tuple[Source, Crops]] | None = None  # None: crops of the corpus
    check: Callable[[list[Path]], None] = _nothing  # raises early if the folders cannot be used
    completed: Callable[[Weights], Weights] = (
        _unchanged  # adds what only training needs to the weights of a bundle
    )
    along: Mapping[str, str] = field(
        default_factory=dict
    )  # what is trained along, to where it belongs in the system


def by_name(stages: Sequence[Stage]) -> Mapping[str, Stage]:
    return {stage.name: stage for stage in stages}
