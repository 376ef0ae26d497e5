"""Training of the mel coder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.fmel.coder import Coder
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.phones import PhoneListener
from melcodec_cli.systems.fmel.search import CHANGE_S, IndexSearch, Judge
from melcodec_cli.systems.fmel.train.hearing import hearing_loss
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.clustering import cluster, usage_figures
from melcodec_cli.train.discriminators import mel_discriminators
from melcodec_cli.train.losses import average_loss, envelope_loss, excess, masked_mean
from melcodec_cli.train.stage import Weights
from melcodec_cli.train.task import MelTask, Moment

# The weights of layers that see or say bands, and which of their dimensions is that of the bands.
BANDED = {
    "encoder.widen.conv.weight": 1,
    "encoder.halve.conv.weight": 1,
    "timbre.halve.conv.weight": 1,
    "decoder.head.weight": 0,
    "decoder.head.bias": 0,
}


@dataclass(frozen=True)
class CoderLosses:
    absolute: float = 1.0
    squared: float = 0.5
    codebook: float = 0.5
    commitment: float = 0.25  # pulls the encoder towards its codewords; relative to the codebook loss
    envelope: float = 0.3  # intelligibility: third-octave envelopes over 0.38 s
    difference: float = 0.3  # error of the change over 10 ms, against blurred onsets
    average: float = 0.0  # likeness of the voice: mean and deviation of the spectrum over the whole crop
    hush: float = 0.0  # against sound above the recording's bandwidth, which no other loss covers
    pitch: float = 0.0  # a trained pitch stage should hear the same in the decoded mel as in the original
    phones: float = 0.0  # intelligibility: the same for the phones that a trained listener hears
    searched: float = 0.0  # share of steps on indices found by the search, so that the encoder learns them
    clustering: bool = True  # moves rarely used codewords; if false, all follow the gradient alone
    usage_decay: float = 0.99  # decay of the running usage that guides online clustering
    foreign_timbre: float = (
        0.5  # share of steps with the timbre of another crop, so that it cannot carry content
    )
    adversary: float = 0.0  # weight of an adversary on mel patches, against blur; 0: none
    features: float = 1.0  # weight of feature matching, relative to the adversary's
    adversary_from: float = 0.2  # progress at which it joins
    adversary_width: int = 32


class CoderTask(MelTask):
    stage: Coder

    def __init__(
        self,
        profile: Profile,
        losses: CoderLosses,
        pitch: Pitch | None = None,
        listener: PhoneListener | None = None,
    ) -> None:
        super().__init__(profile.mel)
        self.profile = profile
        self.losses = losses
        # A list hides a module from torch, so that it is neither trained nor saved.
        self.pitch = [pitch] if pitch and losses.pitch else []
        self.listener = [listener] if listener and losses.phones else []
        self.frozen = [*self.pitch, *self.listener]
        self.stage = Coder(profile.mel, profile.coder, profile.timbre)
        # Coarser than for a file, so that such a step takes twice as long as others, not five times.
        search = dataclasses.replace(profile.search, choices=2, phases=3)
        self.search = IndexSearch(dataclasses.replace(profile, search=search), self.mel.filters)
        self.envelope = self.search.envelope
        self.latest: tuple[Tensor, Tensor] | None = None  # indices and points of the last batch
        if losses.adversary:
            self.judged_by(mel_discriminators(losses.adversary_width, 1), losses.adversary_from)

    def fitted(self, weights: Weights) -> Weights:
        """A coder that knew only the lower bands sees and says nothing in the others at first."""
        own, larger = self.stage.state_dict(), dict(weights)
        for name, dim in BANDED.items():
            if name not in weights or name not in own:
                continue
            absent = own[name].shape[dim] - weights[name].shape[dim]
            if absent > 0:
                nothing = torch.zeros_like(own[name]).narrow(dim, 0, absent)
                larger[name] = torch.cat([weights[name], nothing.to(weights[name])], dim)
        return larger

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        if player == "adversary":
            return self.judgement()
        weight = self.losses
        decoded, target, loss, figures = self.reproduced(crops)
        if weight.adversary and self.active("adversary", moment):
            shown = _shown(target, decoded, self.heard(crops))
            deception, verdict = self.deception(*shown, weight.features)
            loss = loss + weight.adversary * deception
            figures |= verdict
        return loss, figures

    def reproduced(self, crops: Crops) -> tuple[Tensor, Tensor, Tensor, dict[str, float]]:
        """Code and decode the crops: standardised mels (batch, frame, band) as decoded and as they should be, the loss
        without the adversary's part, and figures for the log."""
        coder, weight = self.stage, self.losses
        heard = self.heard(crops)
        with torch.no_grad():
            mel = self.mel(crops.audio)
            target = coder.standardise(mel)
            source = target if crops.noisy is crops.audio else coder.standardise(self.mel(crops.noisy))
        timbre = self._timbre(crops, source)
        latent = coder.encoder(source, timbre)
        searched = None
        if torch.rand(()).item() < weight.searched:
            searched = self._searched(mel, latent, timbre)
        points, indices, codebook_loss, encoded = coder.quantiser(latent, searched, weight.commitment)
        self.latest = (indices.detach(), encoded.detach())
        decoded = coder.decoder(points, timbre).float()

        error = (decoded - target).masked_fill(~heard, 0.0)
        absolute, squared = masked_mean(error.abs(), heard), masked_mean(error.square(), heard)
        loss = weight.absolute * absolute + weight.squared * squared + weight.codebook * codebook_loss
        figures = {
            "l1": masked_mean(error.abs() * coder.deviation, heard).item(),
            "vq": codebook_loss.item(),
        }
        restored = coder.restore(decoded)
        if weight.hush and not heard.all():
            loud = excess(restored, heard, self.mel.silence)
            loss = loss + weight.hush * loud
            figures["excess"] = loud.item()
        # Losses on whole frames get silence there in both mels.
        restored, mel = (x.masked_fill(~heard, self.mel.silence) for x in (restored, mel))
        if weight.difference:
            change = max(1, round(CHANGE_S * self.profile.mel.frames_per_s))
            loss = loss + weight.difference * masked_mean(
                (error[:, change:] - error[:, :-change]).abs(), heard
            )
        if weight.average:
            average = average_loss(decoded, target, heard)
            loss = loss + weight.average * average
            figures["average"] = average.item()
        if weight.envelope:
            envelope = envelope_loss(restored, mel, self.envelope)
            loss = loss + weight.envelope * envelope
            figures["envelope"] = envelope.item()
        if self.pitch:
            voice = hearing_loss(self.pitch[0], restored, mel)
            loss = loss + weight.pitch * voice
            figures["pitch"] = voice.item()
        if self.listener:
            phones = hearing_loss(self.listener[0], restored, mel)
            loss = loss + weight.phones * phones
            figures["phones"] = phones.item()
        return decoded, target, loss, figures

    def _timbre(self, crops: Crops, source: Tensor) -> Tensor | None:
        """Decoded timbre (batch, 1, values) of the source or of another crop of the same voice."""
        coder = self.stage
        if coder.timbre is None:
            return None
        batch, tokens = len(source), source.shape[1] // 4
        foreign = torch.rand(()).item() < self.losses.foreign_timbre
        mel = coder.standardise(self.mel(crops.other)) if foreign else source
        # Short clips must work as well, so often only part of the chunk is used.
        length = torch.randint(tokens // 2, tokens + 1, (batch, 1), device=mel.device)
        valid = torch.arange(tokens, device=mel.device) < length
        return coder.timbre.round(coder.timbre(mel, valid)).unsqueeze(1)

    @torch.no_grad()
    def _searched(self, mel: Tensor, latent: Tensor, timbre: Tensor | None) -> Tensor:
        coder = self.stage
        choices = coder.quantiser.nearest(latent, self.search.config.choices)
        weight = self.search.config
        stages = [(stage, weight.pitch) for stage in self.pitch] + [
            (stage, weight.phones) for stage in self.listener
        ]
        judges = [Judge(stage, stage.heard(mel), each) for stage, each in stages if each]
        indices = self.search(coder, coder.decoder, mel, judges, choices, timbre, (False, False))
        torch.clear_autocast_cache()  # drops weights that were cast without a gradient
        return indices

    @torch.no_grad()
    def after_step(self, moment: Moment) -> None:
        assert self.latest is not None
        cluster(self.stage.quantiser, *self.latest, self.losses.usage_decay, self.losses.clustering)

    @torch.no_grad()
    def _code(self, audio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mel = self.mel(audio)
        tokens = mel.shape[1] // 4
        indices, globals_ = self.stage.encode(mel, mel.new_ones(len(mel), tokens))
        if globals_ is not None:
            globals_ = globals_.unsqueeze(1).expand(-1, tokens, -1)
        return mel, self.stage.decode(indices, globals_), indices

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        mel, decoded, indices = self._code(crops.audio)
        heard = self.heard(crops)
        return {
            "dev_l1": masked_mean((decoded - mel).abs(), heard).item(),
            "dev_excess": excess(decoded, heard, self.mel.silence).item(),
            "dev_envelope": envelope_loss(decoded, mel, self.envelope).item(),
            **usage_figures(indices, self.profile.coder.codewords),
        }

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel, decoded, _ = self._code(crops.audio[:1])
        return [mel[0], decoded[0]]


def _shown(target: Tensor, made: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
    """What the adversary sees of mels (batch, frame, band): the target where the recording holds nothing."""
    return target.unsqueeze(1), torch.where(heard, made, target).unsqueeze(1)
