"""Training of the vocoder, on the mels that the tokenizer gives back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.layers.frame_pulses import cycles_per_frame
from melcodec_cli.layers.hifigan import HifiganVocoder
from melcodec_cli.layers.loudness import Loudness
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.layers.tokenizer import Tokenizer
from melcodec_cli.systems.patch.config import Profile
from melcodec_cli.systems.patch.patch import vocoder_for
from melcodec_cli.systems.patch.vocoder import PatchVocoder
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.discriminators import audio_judges
from melcodec_cli.train.losses import envelope_loss, masked_mean
from melcodec_cli.train.spectra import narrowed, spectral_loss
from melcodec_cli.train.steady_noise import steady_noise
from melcodec_cli.train.task import MelTask, Moment


@dataclass(frozen=True)
class VocoderLosses:
    spectrum: float = 1.0
    mel: float = 0.5
    envelope: float = 0.0  # intelligibility
    loudness: float = (
        0.0  # what a model of hearing notices, that of PESQ: a model so trained is optimised for PESQ
    )
    adversary: float = 0.0  # weight of the adversarial loss; 0: none
    features: float = 2.0  # weight of feature matching, relative to the adversary's
    adversary_from: float = 0.0  # progress at which the adversary joins
    adversary_width: int = 32
    judges: str = "patched"  # or "published": periods and spectra, which need a GPU
    coded: float = 1.0  # share of steps on the tokenizer's mels; of the others, on original ones


class VocoderTask(MelTask):
    stage: PatchVocoder | HifiganVocoder

    def __init__(
        self, profile: Profile, losses: VocoderLosses, tokenizer: Tokenizer, pitch: Pitch | None
    ) -> None:
        super().__init__(profile.mel)
        self.profile = profile
        self.losses = losses
        self.envelope = EnvelopeSegments(self.mel.filters, profile.mel)
        self.loudness = Loudness(profile.mel.rate_hz)
        self.stage = vocoder_for(profile)
        if isinstance(self.stage, PatchVocoder):
            self.stage.noise.copy_(steady_noise(profile.mel, profile.vocoder.noise_frames))
        # A list hides a module from torch, so that it is neither trained nor saved.
        self.tokenizer = [tokenizer.eval()]
        self.pitch = [pitch.eval()] if pitch else []
        self.frozen = [*self.tokenizer, *self.pitch]
        if losses.adversary:
            judges = audio_judges(losses.judges, profile.mel.rate_hz, losses.adversary_width)
            self.judged_by(judges, losses.adversary_from)

    def render(self, mel: Tensor) -> Tensor:
        """(batch, frame, band) -> audio (batch, frame * hop), as from random places of a stream."""
        config, vocoder = self.profile.mel, self.stage
        if isinstance(vocoder, HifiganVocoder):
            return vocoder(mel)
        with torch.no_grad():
            pitch_hz, voicing = self.pitch[0](mel)
            cycles = cycles_per_frame(pitch_hz, config.rate_hz, config.hop_samples)
            phase = torch.cumsum(cycles, 1) - cycles / 2 + torch.rand(len(mel), 1, device=mel.device)
            begin = torch.randint(len(vocoder.noise), (len(mel), 1), device=mel.device)
            numbers = begin + torch.arange(mel.shape[1], device=mel.device)
        return vocoder(mel, pitch_hz, voicing, phase, numbers)

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        if player == "adversary":
            return self.judgement()
        real, heard, weight = crops.audio, self.heard(crops), self.losses
        rate_hz = self.profile.mel.rate_hz
        with torch.no_grad():
            mel = self.mel(real)
            source = self.tokenizer[0].recoded(mel) if torch.rand(()).item() < weight.coded else mel
        made = self.render(source).float()
        with torch.autocast(real.device.type, enabled=False):
            spectrum = spectral_loss(made, real, rate_hz, crops.bandwidth_hz)
            made_mel = self.mel(made)
            mel_l1 = masked_mean((made_mel - mel).abs(), heard)
        loss = weight.spectrum * spectrum + weight.mel * mel_l1
        figures = {"spectrum": spectrum.item(), "mel_l1": mel_l1.item()}
        if weight.envelope:
            ours, theirs = (each.masked_fill(~heard, self.mel.silence) for each in (made_mel, mel))
            envelope = envelope_loss(ours, theirs, self.envelope)
            loss = loss + weight.envelope * envelope
            figures["envelope"] = envelope.item()
        judged = weight.adversary and self.active("adversary", moment)
        if judged or weight.loudness:
            shown_real, shown_made = (narrowed(each, rate_hz, crops.bandwidth_hz) for each in (real, made))
        if weight.loudness:
            loudness = self.loudness(shown_made, shown_real)
            loss = loss + weight.loudness * loudness
            figures["loudness"] = loudness.item()
        if judged:
            deception, verdict = self.deception(shown_real, shown_made, weight.features)
            loss = loss + weight.adversary * deception
            figures |= verdict
        return loss, figures

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        mel, heard, rate_hz = self.mel(crops.audio), self.heard(crops), self.profile.mel.rate_hz
        figures = {}
        for name, source in (("coded", self.tokenizer[0].recoded(mel)), ("dev", mel)):
            made = self.render(source)
            figures[f"{name}_spectrum"] = spectral_loss(made, crops.audio, rate_hz, crops.bandwidth_hz).item()
            figures[f"{name}_mel_l1"] = masked_mean((self.mel(made) - mel).abs(), heard).item()
        return figures

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel = self.mel(crops.audio[:1])
        return [mel[0], self.mel(self.render(self.tokenizer[0].recoded(mel)))[0]]
