"""From a preset to trained stages: which task trains what, on what, and from which earlier stages."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from melcodec_cli.errors import UsageProblem
from melcodec_cli.report.printable import printable
from melcodec_cli.systems.fmel.coder import Coder
from melcodec_cli.systems.fmel.pitch import Pitch
from melcodec_cli.systems.fmel.refiner import FlowRefiner
from melcodec_cli.systems.fmel.train.coder import CoderTask
from melcodec_cli.systems.fmel.train.listener import Listener
from melcodec_cli.systems.fmel.train.phones import PhonesTask
from melcodec_cli.systems.fmel.train.pitch import PitchTask
from melcodec_cli.systems.fmel.train.pitch_labels import PitchedBatches, pitched
from melcodec_cli.systems.fmel.train.refiner import RefinerTask
from melcodec_cli.systems.fmel.train.vocoder import VocoderTask
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.batches import Batches, Crops, dev_crops
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.history import legs_of, with_tilde
from melcodec_cli.train.presets import Preset
from melcodec_cli.train.ranks import is_first
from melcodec_cli.train.run import Run, RunConfig
from melcodec_cli.train.task import Task
from melcodec_cli.train.utterances import Utterances, dev_utterances

StageT = TypeVar("StageT", bound=nn.Module)

STAGES = ("coder", "pitch", "refiner", "vocoder")  # of a model
PHONES = "phones"  # of a judge of the coder, trained before it


@dataclass(frozen=True)
class Length:
    """How long to train: what the user said, which goes before the preset."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and self.steps is not None:
            raise UsageProblem("--minutes and --steps both say how long to train: give one of them")

    def share(self, share: float) -> Length:
        """Of the minutes of a whole; steps are those of each stage."""
        return self if self.minutes is None else Length(minutes=self.minutes * share)

    def applied(self, config: RunConfig) -> RunConfig:
        if self.steps is not None:
            return dataclasses.replace(config, steps=self.steps, minutes=0.0)
        if self.minutes is not None:
            return dataclasses.replace(config, steps=0, minutes=self.minutes)
        return config


def stages_of(preset: Preset) -> list[str]:
    """What training a model of it takes, in order."""
    judges = [PHONES] if preset.coder.losses.phones else []
    return judges + [stage for stage in STAGES if getattr(preset.profile, stage)]


def shares(preset: Preset) -> dict[str, float]:
    """The stages, in order, and the share of the whole time that the preset gives each."""
    minutes = {stage: getattr(preset, stage).run.minutes for stage in stages_of(preset)}
    whole = sum(minutes.values()) or 1.0
    return {stage: own / whole for stage, own in minutes.items()}


def train_stage(
    stage: str,
    preset: Preset,
    corpus: Corpus,
    folder: Path,
    length: Length,
    device: torch.device,
    resume: bool = False,
    start_from: Sequence[Path] = (),
    command: str = "",
) -> dict[str, float]:
    """Train one stage in `folder`/stage; earlier stages are taken from `folder`.  Returns the last dev figures.

    command: what was typed, to be noted with the weights.
    """
    config: RunConfig = length.applied(getattr(preset, stage).run)
    torch.manual_seed(config.seed)  # of the initial weights
    task = _task(stage, preset, folder)
    if not config.steps and not config.minutes:
        raise UsageProblem(f"how long to train the {stage}? say --minutes or --steps")
    batches, dev = _speech(stage, preset, corpus, config, device)
    run = Run(task, batches, dev, config, folder / stage, device, command)
    for other in (
        each for name in ("pitch", "listener", "coder", "refiner") for each in getattr(task, name, [])
    ):
        other.to(device).requires_grad_(False)
    if resume and not run.has_checkpoint and is_first():
        print(
            f"melcodec: {printable(run.folder)}: no checkpoint to go on from, so it begins", file=sys.stderr
        )
    if start_from and not (resume and run.has_checkpoint):
        paths = [_weights_file(path, stage) for path in start_from]
        weights = mean_weights([stage_weights(path, stage) for path in paths])
        legs = dict.fromkeys(leg for path in paths for leg in legs_of(path, stage))
        run.start_from(weights, ", ".join(with_tilde(str(path)) for path in start_from), list(legs))
    return run.train(resume)


def _speech(
    stage: str, preset: Preset, corpus: Corpus, config: RunConfig, device: torch.device
) -> tuple[Source, Crops]:
    """What a stage is trained on, and what it is measured on."""
    weights, sources = preset.corpus.weights, set(preset.corpus.dev_sources)
    multiple = preset.profile.token_samples
    if stage == PHONES:
        utterances = Utterances(corpus, "train", weights, preset.augmentation, config.seconds, multiple)
        return utterances, dev_utterances(corpus, sources, config.dev_seconds, config.dev_clips, multiple)
    samples = int(config.dev_seconds * corpus.rate_hz)
    samples -= samples % multiple
    dev = dev_crops(corpus, sources, samples, config.dev_clips)
    if stage == "pitch":
        batches = Batches(corpus, "train", torch.device("cpu"), weights, preset.augmentation)
        return PitchedBatches(batches, preset.profile), pitched(dev, preset.profile)
    return Batches(corpus, "train", device, weights, preset.augmentation), dev


def _task(stage: str, preset: Preset, folder: Path) -> Task:
    profile = preset.profile
    if stage == PHONES:
        return PhonesTask(profile, preset.phones.network)
    pitch = trained(Pitch(profile.mel.bands, profile.pitch), folder / "pitch") if profile.pitch else None
    if stage == "coder":
        losses = preset.coder.losses
        listener = Listener(profile.mel.bands, preset.phones.network) if losses.phones else None
        return CoderTask(profile, losses, pitch, listener and trained(listener, folder / PHONES))
    coder = trained(Coder(profile.mel, profile.coder, profile.timbre), folder / "coder")
    if stage == "refiner":
        if coder is None:
            raise UsageProblem(f"{folder}: the refiner is trained on coded mels: train the coder first")
        return RefinerTask(profile, preset.refiner.losses, coder)
    if stage == "pitch":
        return PitchTask(profile, preset.pitch.losses, coder)
    if profile.vocoder.name == "harmonic" and pitch is None:
        raise UsageProblem(f"{folder}: the harmonic vocoder is trained on predicted pitch: train pitch first")
    refiner = FlowRefiner(profile.mel.bands, profile.refiner) if profile.refiner else None
    refiner = refiner and trained(refiner, folder / "refiner")
    return VocoderTask(profile, preset.vocoder.losses, pitch, coder, refiner)


def trained(stage: StageT, folder: Path) -> StageT | None:
    """The stage with the averaged weights of a run, or None where there are none."""
    path = folder / "stage.safetensors"
    if not path.exists():
        return None
    stage.load_state_dict(load_file(path))
    return stage.eval()


def _weights_file(path: Path, stage: str) -> Path:
    """Where the weights of one stage are: in a bundle, a run's folder or a stage file."""
    if path.is_dir():
        path = path / stage / "stage.safetensors" if (path / stage).is_dir() else path / "stage.safetensors"
    if not path.exists():
        raise UsageProblem(f"{path}: no weights to start from")
    return path


def mean_weights(runs: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Where they have gone on from the same weights, it is often better than each."""
    if len({tuple((key, weights[key].shape) for key in sorted(weights)) for weights in runs}) > 1:
        raise UsageProblem("weights of different networks have no mean to start from")
    return {key: torch.stack([weights[key] for weights in runs]).mean(0) for key in runs[0]}


def stage_weights(path: Path, stage: str) -> dict[str, torch.Tensor]:
    """Weights of one stage, out of a bundle or a stage file."""
    try:
        tensors = {key: value.float() for key, value in load_file(path).items()}
    except SafetensorError as error:
        raise UsageProblem(f"no weights to start from: {error}", path) from None
    inner = {k.removeprefix(f"{stage}."): v for k, v in tensors.items() if k.startswith(f"{stage}.")}
    if (codebook := inner.get("quantiser.codebook")) is not None:
        # A bundle does not tell how its codewords are used; as if never, clustering would take half of them away.
        inner.setdefault("quantiser.usage", codebook.new_full((len(codebook),), 1 / len(codebook)))
    return inner or tensors
