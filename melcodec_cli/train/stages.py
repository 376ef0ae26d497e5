"""Trains the stages of a preset, for any system."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from melcodec_cli.errors import UsageProblem
from melcodec_cli.report.console import say
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.batches import Batches, Crops, dev_crops
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.history import legs_of, with_tilde
from melcodec_cli.train.presets import Preset
from melcodec_cli.train.ranks import is_first
from melcodec_cli.train.run import Run
from melcodec_cli.train.run_config import RunConfig
from melcodec_cli.train.stage import Drawing, Stage, Training, by_name
from melcodec_cli.train.weights import mean_weights, stage_weights, weights_file


@dataclass(frozen=True)
class Length:
    """How long to train: the user's choice, which overrides the preset."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and self.steps is not None:
            raise UsageProblem("--minutes and --steps both set the length of training: give only one")

    def share(self, share: float) -> Length:
        """The length of a stage: its share of the minutes; steps apply to each stage."""
        return self if self.minutes is None else Length(minutes=self.minutes * share)

    def applied(self, config: RunConfig) -> RunConfig:
        if self.steps is not None:
            return dataclasses.replace(config, steps=self.steps, minutes=0.0)
        if self.minutes is not None:
            return dataclasses.replace(config, steps=0, minutes=self.minutes)
        return config


def stage_named(preset: Preset, name: str) -> Stage:
    stages = by_name(preset.declared)
    if name not in stages:
        raise UsageProblem(f"preset {preset.name} has no stage {name}: choose {', '.join(stages)}")
    return stages[name]


def shares(preset: Preset) -> dict[str, float]:
    """The stages in order, each with its share of the preset's total time."""
    minutes = {stage.name: preset.stages[stage.name].run.minutes for stage in preset.declared}
    whole = sum(minutes.values()) or 1.0
    return {stage: own / whole for stage, own in minutes.items()}


def train_stage(
    name: str,
    preset: Preset,
    corpus: Corpus,
    folder: Path,
    length: Length,
    device: torch.device,
    resume: bool = False,
    start_from: Sequence[Path] = (),
    command: str = "",
) -> dict[str, float]:
    """Train one stage in `folder`/NAME; earlier stages are taken from `folder`.  Returns the last dev figures.

    command: the command line, to be recorded with the weights.
    """
    stage = stage_named(preset, name)
    config = length.applied(preset.stages[name].run)
    torch.manual_seed(config.seed)  # for the initial weights
    task = stage.task(Training(preset, folder))
    if not config.steps and not config.minutes:
        raise UsageProblem(
            f"the preset does not say how long to train the stage {name}: give --minutes or --steps"
        )
    batches, dev = (stage.draws or crops)(Drawing(preset, corpus, config, device))
    run = Run(task, batches, dev, config, preset.shape, folder / name, device, command)
    for other in task.frozen:
        other.to(device).requires_grad_(False)
    if resume and not run.has_checkpoint and is_first():
        say(f"{run.folder}: no checkpoint to resume from, starting from the beginning")
    if start_from and not (resume and run.has_checkpoint):
        paths = [weights_file(path, name) for path in start_from]
        weights = mean_weights([stage_weights(path, stage) for path in paths])
        legs = dict.fromkeys(leg for path in paths for leg in legs_of(path, name))
        run.start_from(weights, ", ".join(with_tilde(str(path)) for path in start_from), list(legs))
    return run.train(resume)


def crops(drawing: Drawing) -> tuple[Source, Crops]:
    """Random crops for training, and the beginnings of dev clips for measuring."""
    preset, corpus = drawing.preset, drawing.corpus
    batches = Batches(corpus, "train", drawing.device, preset.corpus.weights, preset.augmentation)
    return batches, dev_beginnings(drawing)


def dev_beginnings(drawing: Drawing) -> Crops:
    config, corpus = drawing.config, drawing.corpus
    samples = int(config.dev_seconds * corpus.rate_hz)
    samples -= samples % drawing.preset.shape.frame_samples
    return dev_crops(corpus, set(drawing.preset.corpus.dev_sources), samples, config.dev_clips)
