"""Training of the vocoder on what the tokenizer codes; one that hears tokens trains its mel decoder with it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.layers.tokenizer import Tokenizer
from melcodec_cli.systems.meltok.config import Profile
from melcodec_cli.systems.meltok.vocoder import ROW_CHANNELS, TokenEar, Vocoder
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.checkpoint import under
from melcodec_cli.train.discriminators import audio_judges, spectrally_normalised
from melcodec_cli.train.losses import envelope_loss, masked_mean
from melcodec_cli.train.spectra import narrowed, phase_loss, spectral_loss
from melcodec_cli.train.stage import Weights
from melcodec_cli.train.steady_noise import steady_noise
from melcodec_cli.train.task import MelTask, Moment


@dataclass(frozen=True)
class VocoderLosses:
    spectrum: float = 1.0
    mel: float = 0.5
    phase: float = 0.0  # steps of the phase
    envelope: float = 0.0  # intelligibility
    decoded: float = 0.5  # of the mel decoder, if the vocoder has its own
    adversary: float = 0.0  # weight of the adversarial loss; 0: none
    features: float = 2.0  # weight of feature matching, relative to the adversary's
    adversary_from: float = 0.0  # progress at which the adversary joins
    adversary_width: int = 32
    judges: str = "patched"  # or "published": periods and spectra, which need a GPU
    spectral_norm: bool = False  # as published; otherwise the adversary's weights have free lengths
    coded: float = 1.0  # share of steps on coded mels; of the others, on original ones


class VocoderTask(MelTask):
    stage: Vocoder

    def __init__(self, profile: Profile, losses: VocoderLosses, tokenizer: Tokenizer) -> None:
        super().__init__(profile.mel)
        self.profile, self.losses = profile, losses
        self.envelope = EnvelopeSegments(self.mel.filters, profile.mel)
        self.stage = Vocoder(profile)
        self.stage.noise.copy_(steady_noise(profile.mel, profile.vocoder.noise_frames))
        if isinstance(self.stage.ear, TokenEar):
            self.stage.ear.decoder.load_state_dict(tokenizer.decoder.state_dict())
        # A list hides a module from torch, so that it is neither trained nor saved.
        self.frozen = self.tokenizer = [tokenizer.eval()]
        if losses.adversary:
            judges = audio_judges(losses.judges, profile.mel.rate_hz, losses.adversary_width)
            judges = spectrally_normalised(judges) if losses.spectral_norm else judges
            self.judged_by(judges, losses.adversary_from)

    def fitted(self, weights: Weights) -> Weights:
        """Those of a vocoder that hears mels, too, if this one hears tokens: it begins as if it heard the mel."""
        ear, heard, config = self.stage.ear, under("ear.", weights), self.profile.vocoder
        usual = {
            "widen.weight": (config.width, config.hop_frames * self.profile.mel.bands),
            "widen.bias": (config.width,),
        }
        room = config.hop_frames * self.profile.tokenizer.side <= ROW_CHANNELS
        fits = {name: tuple(each.shape) for name, each in heard.items()} == usual
        if not (isinstance(ear, TokenEar) and room and fits):
            return weights
        rest = {key: value for key, value in weights.items() if not key.startswith("ear.")}
        return rest | {f"ear.{key}": value for key, value in ear.like(heard).items()}

    def prepare(self, crops: Crops) -> None:
        """Do nothing: the vocoder hears mels that the tokenizer has standardised."""

    def render(self, mel: Tensor, coded: bool = True) -> tuple[Tensor, Tensor | None]:
        """Log-mel (batch, frame, band) -> audio (batch, frame * hop), as from random places of a stream, and the
        standardised mel of the vocoder's own decoder, if it has one.  coded: whether it hears what is left of the mel
        after coding, or the mel itself."""
        tokenizer, vocoder = self.tokenizer[0], self.stage
        with torch.no_grad():
            points = tokenizer.points_of(tokenizer.encode(mel))
        decoded = None
        if isinstance(vocoder.ear, TokenEar):
            features = vocoder.ear.decoder.features(points)
            decoded = vocoder.ear.decoder.mel_of(features).float()
            heard = vocoder.ear(points, features)
        else:
            with torch.no_grad():
                standard = tokenizer.decoder(points) if coded else tokenizer.standardise(mel)
            heard = vocoder.ear(standard)
        begin = torch.randint(vocoder.noise.numel(), (len(mel), 1), device=mel.device)
        return vocoder(heard, begin + torch.arange(heard.shape[1], device=mel.device)), decoded

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        if player == "adversary":
            return self.judgement()
        real, heard, weight = crops.audio, self.heard(crops), self.losses
        rate_hz, bandwidth_hz = self.profile.mel.rate_hz, crops.bandwidth_hz
        with torch.no_grad():
            mel = self.mel(real)
        made, decoded = self.render(mel, torch.rand(()).item() < weight.coded)
        made = made.float()
        with torch.autocast(real.device.type, enabled=False):
            spectrum = spectral_loss(made, real, rate_hz, bandwidth_hz)
            made_mel = self.mel(made)
            mel_l1 = masked_mean((made_mel - mel).abs(), heard)
        loss = weight.spectrum * spectrum + weight.mel * mel_l1
        figures = {"spectrum": spectrum.item(), "mel_l1": mel_l1.item()}
        if weight.phase:
            with torch.autocast(real.device.type, enabled=False):
                phase = phase_loss(made, real, rate_hz, bandwidth_hz)
            loss = loss + weight.phase * phase
            figures["phase"] = phase.item()
        if weight.envelope:
            ours, theirs = (each.masked_fill(~heard, self.mel.silence) for each in (made_mel, mel))
            envelope = envelope_loss(ours, theirs, self.envelope)
            loss = loss + weight.envelope * envelope
            figures["envelope"] = envelope.item()
        if decoded is not None and weight.decoded:
            error = (decoded - self.tokenizer[0].standardise(mel)).abs()
            loss = loss + weight.decoded * masked_mean(error, heard)
            figures["decoded"] = masked_mean(error, heard).item()
        if weight.adversary and self.active("adversary", moment):
            shown_real, shown_made = (narrowed(each, rate_hz, bandwidth_hz) for each in (real, made))
            deception, verdict = self.deception(shown_real, shown_made, weight.features)
            loss = loss + weight.adversary * deception
            figures |= verdict
        return loss, figures

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        mel, heard, rate_hz = self.mel(crops.audio), self.heard(crops), self.profile.mel.rate_hz
        made, decoded = self.render(mel)
        figures = {
            "coded_spectrum": spectral_loss(made, crops.audio, rate_hz, crops.bandwidth_hz).item(),
            "coded_mel_l1": masked_mean((self.mel(made) - mel).abs(), heard).item(),
            "coded_phase": phase_loss(made, crops.audio, rate_hz, crops.bandwidth_hz).item(),
        }
        if decoded is not None:
            figures["decoded_l1"] = masked_mean(
                (self.tokenizer[0].restore(decoded) - mel).abs(), heard
            ).item()
        return figures

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        mel = self.mel(crops.audio[:1])
        return [mel[0], self.mel(self.render(mel)[0])[0]]
