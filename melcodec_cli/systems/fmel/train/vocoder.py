"""Training of the vocoder, on original mels and, once there is a coder, on coded and refined ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.layers.excitation import per_sample, pulse_train, voiced_share
from melcodec_cli.layers.hifigan import HifiganVocoder
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.fmel.chain import vocoder_for
from melcodec_cli.systems.fmel.coder import Coder
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.harmonic import HarmonicVocoder
from melcodec_cli.systems.fmel.refiner import FlowRefiner
from melcodec_cli.systems.fmel.train.coder import CoderTask
from melcodec_cli.systems.fmel.train.hearing import hearing_loss
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.discriminators import audio_judges
from melcodec_cli.train.losses import average_loss, envelope_loss, excess, masked_mean
from melcodec_cli.train.spectra import narrowed, spectral_loss
from melcodec_cli.train.stage import ALONG, Weights
from melcodec_cli.train.steady_noise import steady_noise
from melcodec_cli.train.task import MelTask, Moment


@dataclass(frozen=True)
class VocoderLosses:
    spectrum: float = 1.0
    mel: float = 0.5
    envelope: float = 0.0  # intelligibility, ...
    average: float = 0.0  # ... likeness ...
    pitch: float = 0.0  # ... and voicing, like the coder's losses of these names
    hush: float = 0.0  # against sound above the recording's bandwidth, which no other loss covers
    adversary: float = 0.0  # weight of the adversarial loss; 0: none
    features: float = 1.0  # weight of feature matching, relative to the adversary's
    adversary_from: float = 0.5  # progress at which the adversary joins
    adversary_width: int = 32
    judges: str = "patched"  # or "published": periods and spectra, which need a GPU
    coded: float = 0.0  # share of steps on coded mels, if there is a coder ...
    refined: float = 0.5  # ... and share of these that are refined, if there is a refiner
    # The weight of the coder's losses, if its decoder learns with the vocoder; 0: it is frozen.
    together: float = 0.0
    heard_s: float = 0.8  # of each crop is then made into audio; the decoder needs more around it


class VocoderTask(MelTask):
    stage: HarmonicVocoder | HifiganVocoder

    def __init__(
        self,
        profile: Profile,
        losses: VocoderLosses,
        pitch: Pitch | None = None,
        coder: Coder | None = None,
        refiner: FlowRefiner | None = None,
        coding: CoderTask | None = None,
    ) -> None:
        """coding: how the coder learns, if its decoder does so together with the vocoder."""
        super().__init__(profile.mel)
        self.profile = profile
        self.losses = losses
        self.envelope = EnvelopeSegments(self.mel.filters, profile.mel)
        self.stage = vocoder_for(profile)
        if isinstance(self.stage, HarmonicVocoder) and self.stage.noise is not None:
            self.stage.noise.copy_(steady_noise(profile.mel, profile.vocoder.noise_frames))
        self.pitch = [pitch.eval()] if pitch else []
        self.coder = [coder.eval()] if coder else []
        self.refiner = [refiner.eval()] if refiner else []
        self.coding = coding
        if coding is None:
            self.frozen = [*self.pitch, *self.coder, *self.refiner]
        else:
            known = coding.stage
            self.coder, self.stage.along = [known], nn.ModuleDict({"decoder": known.decoder})
            still = [part for name, part in known.named_children() if name != "decoder"]
            self.frozen = [*self.pitch, *self.refiner, *coding.frozen, *still]
        if losses.adversary:
            judges = audio_judges(losses.judges, profile.mel.rate_hz, losses.adversary_width)
            self.judged_by(judges, losses.adversary_from)

    def render(self, mel: Tensor) -> Tensor:
        """(batch, frame, band) -> audio (batch, frame * hop)."""
        if isinstance(self.stage, HifiganVocoder):
            return self.stage(mel)
        rate, hop = self.profile.mel.rate_hz, self.profile.mel.hop_samples
        with torch.no_grad():
            pitch_hz, voicing = self.pitch[0](mel)
            sample_hz = per_sample(pitch_hz, hop)
            phase = torch.cumsum(sample_hz / rate, 1) + torch.rand(len(mel), 1, device=mel.device)
            pulses = pulse_train(phase, sample_hz, rate) * voiced_share(voicing, hop)
            noise = self._noise(pulses)
        return self.stage(mel, pitch_hz, voicing, pulses, noise)

    def _noise(self, pulses: Tensor) -> Tensor:
        """Noise like the chain's, (batch, frame * hop), for crops from random places."""
        stage, hop = self.stage, self.profile.mel.hop_samples
        assert isinstance(stage, HarmonicVocoder)
        if stage.noise is None:
            return torch.randn_like(pulses)
        begin = torch.randint(len(stage.noise), (len(pulses), 1), device=pulses.device)
        return stage.looped(begin + torch.arange(pulses.shape[1] // hop, device=pulses.device))

    def _spectral_loss(self, made: Tensor, crops: Crops) -> Tensor:
        return spectral_loss(made, crops.audio, self.profile.mel.rate_hz, crops.bandwidth_hz)

    def fitted(self, weights: Weights) -> Weights:
        """The decoder begins as the coder's, whatever the vocoder begins with."""
        own = self.stage.state_dict()
        return weights | {key: value for key, value in own.items() if key.startswith(ALONG)}

    def _whole(self, crops: Crops) -> tuple[Tensor, Tensor | None]:
        """The mels of whole crops, coded or not, and what the coder loses if they are."""
        assert self.coding is not None
        if torch.rand(()).item() >= self.losses.coded:
            with torch.no_grad():
                return self.mel(crops.audio), None
        decoded, _, loss, _ = self.coding.reproduced(crops)
        return self.coding.stage.restore(decoded), loss

    def _input(self, mel: Tensor) -> Tensor:
        if not self.coder or torch.rand(()).item() >= self.losses.coded:
            return mel
        return self._coded(mel, refined=torch.rand(()).item() < self.losses.refined)

    @torch.no_grad()
    def _coded(self, mel: Tensor, refined: bool) -> Tensor:
        coarse = self.coder[0].recoded(mel)
        if not self.refiner or not refined:
            return coarse
        refiner = self.refiner[0]
        return refiner(coarse, torch.randn_like(coarse), max(1, refiner.config.steps))

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        if player == "adversary":
            return self.judgement()
        real, heard, decoding = crops.audio, self.heard(crops), None
        if self.coding is None:
            with torch.no_grad():
                mel = self.mel(real)
                source = self._input(mel)
        else:
            source, decoding = self._whole(crops)
            hop, frames = self.profile.mel.hop_samples, source.shape[1]
            count = min(frames, round(self.losses.heard_s * self.profile.mel.frames_per_s))
            begin = int(torch.randint(frames - count + 1, ()).item())
            source = source[:, begin : begin + count]
            real = real[:, begin * hop : (begin + count) * hop]
            crops = replace(crops, audio=real)
            with torch.no_grad():
                mel = self.mel(real)
        made = self.render(source)
        with torch.autocast(real.device.type, enabled=False):
            spectrum = self._spectral_loss(made.float(), crops)
            made_mel = self.mel(made.float())
            mel_l1 = masked_mean((made_mel - mel).abs(), heard)
        loss = self.losses.spectrum * spectrum + self.losses.mel * mel_l1
        figures = {"spectrum": spectrum.item(), "mel_l1": mel_l1.item()}
        if decoding is not None:
            loss = loss + self.losses.together * decoding
            figures["decoding"] = decoding.item()
        for name, weight, judged in self._likeness_losses(made_mel, mel, heard):
            loss = loss + weight * judged
            figures[name] = judged.item()
        if self.losses.hush and not heard.all():
            loud = excess(made_mel, heard, self.mel.silence)
            loss = loss + self.losses.hush * loud
            figures["excess"] = loud.item()
        if self.losses.adversary and self.active("adversary", moment):
            rate_hz = self.profile.mel.rate_hz
            shown_real, shown_made = (
                narrowed(each, rate_hz, crops.bandwidth_hz) for each in (real, made.float())
            )
            deception, verdict = self.deception(shown_real, shown_made, self.losses.features)
            loss = loss + self.losses.adversary * deception
            figures |= verdict
        return loss, figures

    def _likeness_losses(
        self, made: Tensor, mel: Tensor, heard: Tensor
    ) -> Iterator[tuple[str, float, Tensor]]:
        """Name, weight and value of each enabled loss on log-mels."""
        weight = self.losses
        if weight.average:
            one, other = ((each - self.stage.mean) / self.stage.deviation for each in (made, mel))
            yield "average", weight.average, average_loss(one, other, heard)
        made, mel = (each.masked_fill(~heard, self.mel.silence) for each in (made, mel))
        if weight.envelope:
            yield "envelope", weight.envelope, envelope_loss(made, mel, self.envelope)
        if weight.pitch and self.pitch:
            yield "pitch", weight.pitch, hearing_loss(self.pitch[0], made, mel)

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        mel, heard = self.mel(crops.audio), self.heard(crops)
        made = self.render(mel)
        figures = {
            "dev_spectrum": self._spectral_loss(made, crops).item(),
            "dev_mel_l1": masked_mean((self.mel(made) - mel).abs(), heard).item(),
        }
        if self.coder:
            made = self.render(self._coded(mel, refined=True))
            figures["coded_spectrum"] = self._spectral_loss(made, crops).item()
            figures["coded_mel_l1"] = masked_mean((self.mel(made) - mel).abs(), heard).item()
        return figures

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel = self.mel(crops.audio[:1])
        return [mel[0], self.mel(self.render(mel))[0]]
