"""The interface of a stage to the training loop in run.py."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.discriminators import Discriminators
from melcodec_cli.train.losses import lower_edges_hz


@dataclass(frozen=True)
class Moment:
    """The current state of training."""

    step: int
    progress: float  # 0..1
    judged: bool = True  # whether the current phase uses the adversary


class MelCoder(Protocol):
    """A stage that codes log-mels, as a later one sees it."""

    def recoded(self, mel: Tensor) -> Tensor:
        """(batch, frame, band) -> the same after coding and decoding."""


class Task(nn.Module):
    """The loop's view of a stage: a network with its losses.

    `players` names the sub-modules that take turns, each with its own optimiser: the stage itself and, if there is one,
    the adversary, which learns from what the stage has just made.
    """

    players: tuple[str, ...] = ("stage",)
    stage: nn.Module
    adversary: Discriminators
    adversary_from = 0.0  # progress at which it joins
    shown: tuple[Tensor, Tensor]  # what it was last asked about: real and made
    frozen: Sequence[nn.Module] = ()  # earlier stages, hidden from torch in a list: neither trained nor saved

    def fitted(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights of another run, as this stage can begin with them."""
        return weights

    def judged_by(self, adversary: Discriminators, since: float) -> None:
        self.players = ("stage", "adversary")
        self.adversary, self.adversary_from = adversary, since

    def deception(
        self, real: Tensor, made: Tensor, features_weight: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The adversary's loss for the stage, and figures for the log."""
        self.shown = (real, made.detach())
        deceived, features = self.adversary.deception_losses(real, made)
        return deceived + features_weight * features, {
            "deceived": deceived.item(),
            "features": features.item(),
        }

    def judgement(self) -> tuple[Tensor, dict[str, float]]:
        """The adversary's own loss, on what it was shown last, and no figures."""
        return self.adversary.judgement_loss(*self.shown), {}

    @abstractmethod
    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        """The loss of one player on a batch, and figures for the log."""

    @abstractmethod
    def evaluate(self, crops: Crops) -> dict[str, float]:
        """Dev figures; the first is the main one, and lower is better."""

    def prepare(self, crops: Crops) -> None:
        """Take statistics of some training audio; called once at the start of a new run."""

    def active(self, player: str, moment: Moment) -> bool:
        """Whether this player takes its turn now."""
        return player == "stage" or (moment.judged and moment.progress >= self.adversary_from)

    def after_step(self, moment: Moment) -> None:
        """Do what must follow the optimiser's step."""

    def picture(self, crops: Crops) -> list[Tensor]:
        """Log-mel panels (frame, band) of one dev clip, original first; none for a stage without mels."""
        return []

    def curves(self, crops: Crops) -> dict[str, Tensor]:
        """Pitch of the same clip in Hz (frame), NaN where unvoiced, by its origin; none for most stages."""
        return {}


class MelTask(Task):
    """A stage that works on log-mels, which it standardises."""

    edges_hz: Tensor

    def __init__(self, mel: MelConfig) -> None:
        super().__init__()
        self.mel = LogMel(mel)
        edges_hz = lower_edges_hz(self.mel.filters, mel.rate_hz)
        self.register_buffer("edges_hz", edges_hz, persistent=False)

    def heard(self, crops: Crops) -> Tensor:
        """Mask of the bands that the recording reaches into: (batch, 1, band)."""
        return (self.edges_hz < crops.bandwidth_hz.unsqueeze(1)).unsqueeze(1)

    @torch.no_grad()
    def prepare(self, crops: Crops) -> None:
        """Measure mean and deviation of the bands, with which the stage standardises its mels."""
        mel = self.mel(crops.audio)
        sounding = mel.mean(-1, keepdim=True) > self.mel.silence + 1
        weight = (sounding & self.heard(crops)).flatten(0, 1).float()  # (frame, band)
        if not weight.any(0).all():
            raise UsageProblem(
                "no recording reaches the highest mel bands: lower mel.high_hz or add wider recordings"
            )
        flat, count = mel.flatten(0, 1), weight.sum(0)
        mean = (flat * weight).sum(0) / count
        self.stage.get_buffer("mean").copy_(mean)
        self.stage.get_buffer("deviation").copy_((((flat - mean).square() * weight).sum(0) / count).sqrt())

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        """Log-mel panels (frame, band) of one dev clip, original first."""
        return [self.mel(crops.audio)[0]]
