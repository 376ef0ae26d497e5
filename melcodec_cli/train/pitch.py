"""Training of the pitch stage, on labels that WORLD measures on the audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.pitch import Pitch, bin_of
from melcodec_cli.layers.pitch_config import PitchScaleConfig
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.pitch_labels import Pitched
from melcodec_cli.train.task import MelTask, Moment


@dataclass(frozen=True)
class PitchLosses:
    voicing: float = 1.0
    spread_bins: float = 1.2  # width of the soft target
    coded: float = 0.5  # share of steps on coded mels, if there is a coder


class PitchTask(MelTask):
    stage: Pitch

    def __init__(self, mel: MelConfig, stage: Pitch, losses: PitchLosses, coder: Any = None) -> None:
        """coder: a MelCoder and module, whose mels the stage should hear, too."""
        super().__init__(mel)
        self.losses = losses
        self.stage = stage
        self.frozen = self.coder = [coder] if coder else []

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(crops, Pitched)
        with torch.no_grad():
            mel = self.mel(crops.audio)
            if self.coder and torch.rand(()).item() < self.losses.coded:
                mel = self.coder[0].recoded(mel)
        height, decision = pitch_losses(
            *self.stage.scores(mel), crops, self.stage.config, self.losses.spread_bins
        )
        loss = height + self.losses.voicing * decision
        return loss, {"height": height.item(), "voicing": decision.item()}

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        assert isinstance(crops, Pitched)
        mel = self.mel(crops.audio)
        figures = pitch_errors("", crops, self.stage(mel))
        if self.coder:
            figures |= pitch_errors("coded_", crops, self.stage(self.coder[0].recoded(mel)))
        return figures

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel = self.mel(crops.audio[:1])
        return [mel[0], *(coder.recoded(mel)[0] for coder in self.coder)]

    @torch.no_grad()
    def curves(self, crops: Crops) -> dict[str, Tensor]:
        assert isinstance(crops, Pitched)
        truth_hz = crops.pitch_hz[0]
        curves = {"measured": truth_hz.where(truth_hz > 0, torch.nan)}
        names = ("estimated from the original mel", "estimated from the coded mel")
        for name, mel in zip(names, self.picture(crops), strict=False):
            pitch_hz, voicing = self.stage(mel.unsqueeze(0))
            curves[name] = pitch_hz[0].where(voicing[0] > 0.5, torch.nan)
        return curves


def pitch_losses(
    logits: Tensor, voicing: Tensor, truth: Pitched, scale: PitchScaleConfig, spread_bins: float
) -> tuple[Tensor, Tensor]:
    """Logits of the bins (batch, frame, bin) and of voicing (batch, frame) -> cross entropy of both."""
    voiced = truth.pitch_hz > 0
    bins = torch.arange(logits.shape[-1], device=logits.device)
    distance = (bins - bin_of(truth.pitch_hz, scale).unsqueeze(-1)) / spread_bins
    target = torch.softmax(-0.5 * distance.square(), -1)
    height = cross_entropy(logits[voiced], target[voiced]) if voiced.any() else logits.sum() * 0
    return height, binary_cross_entropy_with_logits(voicing, truth.voiced)


def pitch_errors(prefix: str, truth: Pitched, estimate: tuple[Tensor, Tensor]) -> dict[str, float]:
    pitch_hz, voicing = estimate
    voiced = truth.pitch_hz > 0
    cents = 1200 * (pitch_hz[voiced] / truth.pitch_hz[voiced]).log2().abs()
    return {
        # Error of a decision against a random one of the answers: no estimate can bring it to 0.
        f"{prefix}voicing_error": ((voicing > 0.5).float() - truth.voiced).abs().mean().item(),
        f"{prefix}median_cents": cents.median().item(),
        f"{prefix}gross_error": (cents > 316).float().mean().item(),  # off by a fifth or more
    }
