"""Training of a tokenizer, of whatever system."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.tokenizer import Tokenizer
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.clustering import cluster, usage_figures
from melcodec_cli.train.discriminators import mel_discriminators
from melcodec_cli.train.losses import envelope_loss, masked_mean
from melcodec_cli.train.task import MelTask, Moment
from melcodec_cli.train.texture import Texture

MOST_BALANCE = 1e4  # limit of the adversary's balanced weight


@dataclass(frozen=True)
class TokenizerLosses:
    absolute: float = 1.0
    squared: float = 0.3
    codebook: float = 0.5
    commitment: float = 0.25  # pulls the encoder towards its codewords; relative to the codebook loss
    envelope: float = 0.3  # intelligibility: third-octave envelopes over .38 s
    texture: float = 0.0  # perceptual: what fixed random filters see
    clustering: bool = True  # moves rarely used codewords; if false, all follow the gradient alone
    usage_decay: float = 0.99  # decay of the running usage that guides clustering
    adversary: float = 0.0  # of a judge of mel patches: its gradient relative to that of the errors; 0: none
    features: float = 1.0  # weight of feature matching, relative to the adversary's
    adversary_from: float = 0.7  # progress at which it joins
    adversary_width: int = 32


class TokenizerTask(MelTask):
    stage: Tokenizer

    def __init__(self, mel: MelConfig, stage: Tokenizer, losses: TokenizerLosses) -> None:
        super().__init__(mel)
        self.losses = losses
        self.stage = stage
        self.envelope = EnvelopeSegments(self.mel.filters, mel)
        self.texture = Texture() if losses.texture else None
        self.latest: tuple[Tensor, Tensor] | None = None  # indices and points of the last batch
        if losses.adversary:
            self.judged_by(mel_discriminators(losses.adversary_width, 1), losses.adversary_from)

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        if player == "adversary":
            return self.judgement()
        tokenizer, weight = self.stage, self.losses
        heard = self.heard(crops)
        with torch.no_grad():
            mel = self.mel(crops.audio)
            target = tokenizer.standardise(mel)
            source = target if crops.noisy is crops.audio else tokenizer.standardise(self.mel(crops.noisy))
        latent = tokenizer.encoder(source)
        points, indices, codebook_loss, encoded = tokenizer.quantised(latent, weight.commitment)
        self.latest = (indices.detach(), encoded.detach())
        made = tokenizer.decoder(points).float()

        error = (made - target).masked_fill(~heard, 0.0)
        errors = weight.absolute * masked_mean(error.abs(), heard)
        errors = errors + weight.squared * masked_mean(error.square(), heard)
        figures = {
            "l1": masked_mean(error.abs() * tokenizer.deviation, heard).item(),
            "vq": codebook_loss.item(),
        }
        if weight.envelope:
            restored, wanted = (
                x.masked_fill(~heard, self.mel.silence) for x in (tokenizer.restore(made), mel)
            )
            envelope = envelope_loss(restored, wanted, self.envelope)
            errors = errors + weight.envelope * envelope
            figures["envelope"] = envelope.item()
        # Where the recording holds nothing, judges see the target.
        shown = torch.where(heard, made, target)
        if self.texture is not None:
            texture = self.texture(shown, target)
            errors = errors + weight.texture * texture
            figures["texture"] = texture.item()
        loss = errors + weight.codebook * codebook_loss
        if weight.adversary and self.active("adversary", moment):
            deception, verdict = self.deception(target.unsqueeze(1), shown.unsqueeze(1), weight.features)
            balance = self._balance(errors, deception)
            loss = loss + weight.adversary * balance * deception
            figures |= {**verdict, "balance": balance.item()}
        return loss, figures

    def _balance(self, errors: Tensor, deception: Tensor) -> Tensor:
        """The factor that makes the adversary's gradient at the decoder's last layer as long as the errors'."""
        last = self.stage.decoder.head.weight
        ours, theirs = (
            torch.autograd.grad(each, last, retain_graph=True)[0].norm() for each in (errors, deception)
        )
        return (ours / (theirs + 1e-6)).clamp(max=MOST_BALANCE).detach()

    def after_step(self, moment: Moment) -> None:
        assert self.latest is not None
        cluster(self.stage.quantiser, *self.latest, self.losses.usage_decay, self.losses.clustering)

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        mel, heard = self.mel(crops.audio), self.heard(crops)
        indices = self.stage.encode(mel)
        made = self.stage.decode(indices)
        return {
            "dev_l1": masked_mean((made - mel).abs(), heard).item(),
            "dev_envelope": envelope_loss(made, mel, self.envelope).item(),
            **usage_figures(indices, len(self.stage.quantiser.usage)),
        }

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel = self.mel(crops.audio[:1])
        return [mel[0], self.stage.decode(self.stage.encode(mel))[0]]
