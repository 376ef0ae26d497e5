"""Training of the vocoder, on original mels and, once there is a coder, on what it and the refiner make of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from melcodec_cli.chain.coder import Coder
from melcodec_cli.chain.hifigan import HifiganVocoder
from melcodec_cli.chain.pitch import Pitch
from melcodec_cli.chain.profile import Profile
from melcodec_cli.chain.refiner import FlowRefiner
from melcodec_cli.chain.source import per_sample, pulse_train, voiced_share
from melcodec_cli.chain.vocoder import HarmonicVocoder
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.coded import coded_mel
from melcodec_cli.train.discriminators import audio_discriminators
from melcodec_cli.train.task import Moment, Task

STFTS = ((256, 64), (512, 128), (1024, 256), (2048, 512))  # FFT and hop, in samples


@dataclass(frozen=True)
class VocoderLosses:
    spectrum: float = 1.0
    mel: float = 0.5
    adversary: float = 0.0  # weight of the adversarial loss; 0 trains without one
    features: float = 1.0  # of feature matching, relative to the adversarial loss
    adversary_from: float = 0.5  # progress at which the adversary joins
    adversary_width: int = 16
    coded: float = 0.0  # share of steps on coded mels, if there is a coder ...
    refined: float = 0.5  # ... and share of these that the refiner goes over, if there is one


class VocoderTask(Task):
    stage: HarmonicVocoder | HifiganVocoder

    def __init__(
        self,
        profile: Profile,
        losses: VocoderLosses,
        pitch: Pitch | None = None,
        coder: Coder | None = None,
        refiner: FlowRefiner | None = None,
    ) -> None:
        super().__init__(profile)
        self.losses = losses
        if profile.vocoder.name == "hifigan":
            self.stage = HifiganVocoder(profile.mel, profile.vocoder)
        else:
            assert pitch is not None, "the harmonic vocoder is trained on predicted pitch"
            self.stage = HarmonicVocoder(profile.mel, profile.vocoder)
        self.pitch = (
            [pitch.eval()] if pitch else []
        )  # in lists: not sub-modules, so neither trained nor saved
        self.coder = [coder.eval()] if coder else []
        self.refiner = [refiner.eval()] if refiner else []
        if losses.adversary:
            self.players = ("adversary", "stage")
            self.adversary = audio_discriminators(losses.adversary_width)

    def active(self, player: str, moment: Moment) -> bool:
        return player == "stage" or moment.progress >= self.losses.adversary_from

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
            noise = torch.randn_like(pulses)
        return self.stage(mel, pitch_hz, voicing, pulses, noise)

    def _input(self, mel: Tensor) -> Tensor:
        if not self.coder or torch.rand(()).item() >= self.losses.coded:
            return mel
        return self._coded(mel, refined=torch.rand(()).item() < self.losses.refined)

    @torch.no_grad()
    def _coded(self, mel: Tensor, refined: bool) -> Tensor:
        coarse = coded_mel(self.coder[0], mel)
        if not self.refiner or not refined:
            return coarse
        refiner = self.refiner[0]
        return refiner(coarse, torch.randn_like(coarse), max(1, refiner.config.steps))

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        real = crops.audio
        with torch.no_grad():
            mel = self.mel(real)
            source = self._input(mel)
        if player == "adversary":
            with torch.no_grad():
                made = self.render(source)
            return self.adversary.judgement_loss(real, made), {}
        made = self.render(source)
        with torch.autocast(real.device.type, enabled=False):
            spectrum = spectral_loss(made.float(), real)
            mel_l1 = (self.mel(made.float()) - mel).abs().mean()
        loss = self.losses.spectrum * spectrum + self.losses.mel * mel_l1
        figures = {"spectrum": spectrum.item(), "mel_l1": mel_l1.item()}
        if self.losses.adversary and self.active("adversary", moment):
            adversarial, features = self.adversary.deception_losses(real, made)
            loss = loss + self.losses.adversary * (adversarial + self.losses.features * features)
            figures |= {"deceived": adversarial.item(), "features": features.item()}
        return loss, figures

    @torch.no_grad()
    def evaluate(self, audio: Tensor) -> dict[str, float]:
        mel = self.mel(audio)
        made = self.render(mel)
        figures = {
            "dev_spectrum": spectral_loss(made, audio).item(),
            "dev_mel_l1": (self.mel(made) - mel).abs().mean().item(),
        }
        if self.coder:
            made = self.render(self._coded(mel, refined=True))
            figures["coded_spectrum"] = spectral_loss(made, audio).item()
            figures["coded_mel_l1"] = (self.mel(made) - mel).abs().mean().item()
        return figures

    @torch.no_grad()
    def picture(self, audio: Tensor) -> list[Tensor]:
        mel = self.mel(audio)
        return [mel[0], self.mel(self.render(mel))[0]]


def spectral_loss(made: Tensor, real: Tensor) -> Tensor:
    """Spectral convergence plus log-magnitude distance at several resolutions, on (batch, samples)."""
    total = made.new_zeros(())
    for fft, hop in STFTS:
        window = torch.hann_window(fft, device=made.device)
        spectra = [
            torch.stft(signal, fft, hop, window=window, return_complex=True).abs().clamp(min=1e-5)
            for signal in (made, real)
        ]
        difference = torch.linalg.matrix_norm(spectra[1] - spectra[0])
        convergence = (difference / torch.linalg.matrix_norm(spectra[1]).clamp(min=1e-2)).mean()
        # Floor at -60 dB of full scale bins: below it nothing is heard and logarithms run wild.
        logs = [(spectrum + 1e-3).log() for spectrum in spectra]
        total = total + convergence + (logs[0] - logs[1]).abs().mean()
    return total / len(STFTS)
