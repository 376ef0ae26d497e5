"""What a stage must offer to be trained by the loop in run.py."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from melcodec_cli.chain.mel import LogMel
from melcodec_cli.chain.profile import Profile
from melcodec_cli.train.batches import Crops


@dataclass(frozen=True)
class Moment:
    """Where training stands."""

    step: int
    progress: float  # 0..1


class Task(nn.Module):
    """A stage with its losses.  `players` names the sub-modules that take turns, each with its own optimiser;
    the first is the stage itself, any other an adversary."""

    players: tuple[str, ...] = ("stage",)
    stage: nn.Module

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.profile = profile
        self.mel = LogMel(profile.mel)

    @abstractmethod
    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        """Loss of one player on a batch, and figures for the log."""

    @abstractmethod
    def evaluate(self, audio: Tensor) -> dict[str, float]:
        """Dev figures on (clips, samples); the first is the one that training is judged by, lower is better."""

    @torch.no_grad()
    def prepare(self, audio: Tensor) -> None:
        """Called once before a fresh run with some training audio: every stage standardises its mels by them."""
        mel = self.mel(audio)
        heard = mel[mel.mean(-1) > self.mel.silence + 1]
        self.stage.get_buffer("mean").copy_(heard.mean(0))
        self.stage.get_buffer("deviation").copy_(heard.std(0))

    def active(self, player: str, moment: Moment) -> bool:
        """Whether this player takes its turn now."""
        return True

    def after_step(self, moment: Moment) -> None:
        """Anything that follows the optimiser's step."""

    @torch.no_grad()
    def picture(self, audio: Tensor) -> list[Tensor]:
        """Log-mel panels (frame, band) of one dev clip, original first."""
        return [self.mel(audio)[0]]
