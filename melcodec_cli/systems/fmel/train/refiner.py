"""Training of the refiner: conditional flow matching from coarse mels, with an optional self-consistency stage."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.systems.fmel.coder import Coder
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.refiner import FlowRefiner
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.discriminators import mel_discriminators
from melcodec_cli.train.losses import envelope_loss, masked_mean
from melcodec_cli.train.task import MelTask, Moment

DEV_STEPS = (1, 2, 4, 8)


@dataclass(frozen=True)
class RefinerLosses:
    consistency: float = 10.0  # weight of the self-consistency loss ...
    consistency_from: float = 0.85  # ... and the progress at which it starts; 1: never
    jump_low: float = 0.005
    jump_high: float = 0.02
    jump_end: float = 0.99  # jumps that reach this time are left out
    adversary: float = 0.0  # weight of an adversary on mel patches of the one-step result; 0: none
    features: float = 1.0  # weight of feature matching, relative to the adversary's
    adversary_from: float = 0.2  # progress at which it joins
    adversary_width: int = 32


class RefinerTask(MelTask):
    stage: FlowRefiner

    def __init__(self, profile: Profile, losses: RefinerLosses, coder: Coder) -> None:
        super().__init__(profile.mel)
        self.profile = profile
        assert profile.refiner is not None
        self.losses = losses
        self.stage = FlowRefiner(profile.mel.bands, profile.refiner)
        if losses.adversary:
            self.judged_by(mel_discriminators(losses.adversary_width, 2), losses.adversary_from)
        self.frozen = self.coder = [coder.eval()]
        self.envelope = EnvelopeSegments(self.mel.filters, profile.mel)

    @torch.no_grad()
    def prepare(self, crops: Crops) -> None:
        self.stage.mean.copy_(self.coder[0].mean)
        self.stage.deviation.copy_(self.coder[0].deviation)

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        if player == "adversary":
            return self.judgement()
        flow, weight = self.stage, self.losses
        with torch.no_grad():
            mel = self.mel(crops.audio)
            coarse, target = flow.standardise(self.coder[0].recoded(mel)), flow.standardise(mel)
            # Above the recording's bandwidth the coarse mel stays as it is.
            heard = self.heard(crops)
            target = torch.where(heard, target, coarse)
            start = flow.start(coarse, torch.randn_like(coarse))
            time = torch.rand(len(mel), device=mel.device)
            t = time.view(-1, 1, 1)
            point = (1 - t) * start + t * target
        answer = flow.answer(point, coarse, time).float()
        matching = masked_mean((answer - flow.wanted(start, target, coarse)).square(), heard)
        loss, figures = matching, {"matching": matching.item()}
        if moment.progress >= weight.consistency_from:
            consistency = self._inconsistency(answer, start, target, coarse, time)
            loss = loss + weight.consistency * consistency
            figures["consistency"] = consistency.item()
        if weight.adversary and self.active("adversary", moment):
            made = self._jump(start, coarse)
            deception, verdict = self.deception(
                _beside(target, coarse), _beside(made, coarse), weight.features
            )
            loss = loss + weight.adversary * deception
            figures |= verdict
        return loss, figures

    def _jump(self, start: Tensor, coarse: Tensor) -> Tensor:
        """The end of the flow in a single step."""
        return self.stage.end(start, coarse, torch.zeros(len(start), device=start.device)).float()

    def _inconsistency(
        self, answer: Tensor, start: Tensor, target: Tensor, coarse: Tensor, time: Tensor
    ) -> Tensor:
        """Difference of the answers, velocities or ends, between `time` (batch,) and a little later on the path."""
        weight = self.losses
        later = time + weight.jump_low + (weight.jump_high - weight.jump_low) * torch.rand_like(time)
        inside = (later < weight.jump_end).float().view(-1, 1, 1)
        later = later.clamp(max=weight.jump_end)
        u = later.view(-1, 1, 1)
        agreed = self.stage.answer((1 - u) * start + u * target, coarse, later).float()
        return ((answer - agreed).square() * inside).mean()

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        """For each number of steps: log-mel L1, and texture (mean change over time) relative to that of speech."""
        mel = self.mel(crops.audio)
        coarse, heard = self.coder[0].recoded(mel), self.heard(crops)
        mel = torch.where(heard, mel, coarse)
        generator = torch.Generator(mel.device).manual_seed(0)
        noise = torch.randn(mel.shape, generator=generator, device=mel.device)
        figures = {
            "dev_l1_0": masked_mean((coarse - mel).abs(), heard).item(),
            "texture_0": _texture(coarse, mel),
        }
        figures["envelope_0"] = envelope_loss(coarse, mel, self.envelope).item()
        for steps in DEV_STEPS:
            refined = self.stage(coarse, noise, steps)
            figures[f"dev_l1_{steps}"] = masked_mean((refined - mel).abs(), heard).item()
            figures[f"texture_{steps}"] = _texture(refined, mel)
            figures[f"envelope_{steps}"] = envelope_loss(refined, mel, self.envelope).item()
        return figures

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel = self.mel(crops.audio)
        coarse = self.coder[0].recoded(mel)
        return [mel[0], coarse[0], self.stage(coarse, torch.randn_like(coarse), 4)[0]]


def _beside(mel: Tensor, coarse: Tensor) -> Tensor:
    return torch.stack([mel, coarse], dim=1)


def _texture(mel: Tensor, truth: Tensor) -> float:
    change, wanted = (x.diff(dim=1).abs().mean() for x in (mel, truth))
    return (change / wanted).item()
