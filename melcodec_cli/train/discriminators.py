"""Adversaries: for the vocoder, periods (HiFi-GAN) and resolutions (magnitude spectra); for coder and refiner, patches
of mels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.train.spectra import samples_of

PERIODS = (2, 3, 5, 7, 11)
PATCHED_MS = ((16, 4), (32, 8), (64, 16))  # FFT and hop of the spectra that are judged in patches
MEL_MS = ((20, 5, 60), (50, 10, 100))  # FFT, hop and bands of the log-mels that are judged in patches
RESOLUTIONS = ((512, 128), (1024, 256), (256, 64))  # FFT and hop, in samples


class PeriodDiscriminator(nn.Module):
    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        widths = (1, width, 4 * width, 8 * width, 8 * width)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0)))
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = pad(audio, (0, -audio.shape[1] % self.period)).reshape(len(audio), 1, -1, self.period)
        return _through(self.layers, self.last, x)


class ResolutionDiscriminator(nn.Module):
    window: Tensor

    def __init__(self, fft_samples: int, hop_samples: int, width: int) -> None:
        super().__init__()
        self.fft_samples, self.hop_samples = fft_samples, hop_samples
        self.register_buffer("window", torch.hann_window(fft_samples), persistent=False)
        self.layers = nn.ModuleList([weight_norm(nn.Conv2d(1, width, (3, 9), padding=(1, 4)))])
        self.layers.extend(weight_norm(nn.Conv2d(width, width, (3, 9), (1, 2), (1, 4))) for _ in range(3))
        self.layers.append(weight_norm(nn.Conv2d(width, width, 3, padding=1)))
        self.last = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        spectrum = torch.stft(
            audio.float(), self.fft_samples, self.hop_samples, window=self.window, return_complex=True
        )
        x = (spectrum.abs() + 1e-5).log().transpose(1, 2).unsqueeze(1)  # (batch, 1, frame, bin)
        return _through(self.layers, self.last, x)


class PatchedDiscriminator(nn.Module):
    """Judges a picture of the audio, first cut into patches of 4 x 4 values.

    So most of the work is done at a sixteenth of the size, with enough channels to use a processor well.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                weight_norm(nn.Conv2d(channels, width, 6, 4, 1)),
                weight_norm(nn.Conv2d(width, width, 3, 1, 1)),
                weight_norm(nn.Conv2d(width, 2 * width, 3, (1, 2), 1)),
                weight_norm(nn.Conv2d(2 * width, 2 * width, 3, (2, 2), 1)),
            ]
        )
        self.last = weight_norm(nn.Conv2d(2 * width, 1, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def picture(self, audio: Tensor) -> Tensor:
        """(batch, samples) -> (batch, channel, frame, frequency)."""
        raise NotImplementedError

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        with torch.autocast(audio.device.type, enabled=False):
            picture = self.picture(audio.float())
        return _through(self.layers, self.last, picture.contiguous(memory_format=torch.channels_last))


class PatchedSpectrum(PatchedDiscriminator):
    """Sees the complex spectrum: log magnitude, and both parts scaled to the cube root of the magnitude."""

    window: Tensor

    def __init__(self, fft_samples: int, hop_samples: int, width: int) -> None:
        super().__init__(3, width)
        self.fft_samples, self.hop_samples = fft_samples, hop_samples
        self.register_buffer("window", torch.hann_window(fft_samples), persistent=False)

    def picture(self, audio: Tensor) -> Tensor:
        spectrum = torch.stft(
            audio, self.fft_samples, self.hop_samples, window=self.window, return_complex=True
        )
        real, imaginary = spectrum.real, spectrum.imag
        size = (real.square() + imaginary.square() + 1e-7).sqrt()
        small = size.pow(-2 / 3)
        return torch.stack([0.3 * (size + 1e-3).log() + 1, real * small, imaginary * small], 1).transpose(
            2, 3
        )


class PatchedMel(PatchedDiscriminator):
    """Sees a log-mel."""

    def __init__(self, mel: LogMel, width: int) -> None:
        super().__init__(1, width)
        self.mel = mel

    def picture(self, audio: Tensor) -> Tensor:
        return 0.3 * self.mel(audio).unsqueeze(1) + 1


def _through(layers: nn.ModuleList, last: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    maps = []
    for layer in layers:
        x = leaky_relu(layer(x), 0.1)
        maps.append(x)
    return last(x), maps


class PatchDiscriminator(nn.Module):
    """Judges patches of a log-mel, together with the coarse one that it was made from, if any."""

    def __init__(self, width: int, mels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                weight_norm(nn.Conv2d(mels, width, (3, 5), (1, 2), (1, 2))),
                weight_norm(nn.Conv2d(width, 2 * width, 3, 2, 1)),
                weight_norm(nn.Conv2d(2 * width, 2 * width, 3, (1, 2), 1)),
                weight_norm(nn.Conv2d(2 * width, 2 * width, 3, 1, 1)),
            ]
        )
        self.last = weight_norm(nn.Conv2d(2 * width, 1, 3, padding=1))

    def forward(self, mels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """mels (batch, mel, frame, band): the mel, and the coarse one if any -> scores, feature maps."""
        return _through(self.layers, self.last, mels)


class Discriminators(nn.Module):
    def __init__(self, judges: list[nn.Module]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(judges)

    def judgement_loss(self, real: Tensor, made: Tensor) -> Tensor:
        """Least-squares loss of the adversary: real should score 1, made 0."""
        total = real.new_zeros(())
        for judge in self.judges:
            total = total + (1 - judge(real)[0]).square().mean() + judge(made)[0].square().mean()
        return total / len(self.judges)

    def deception_losses(self, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """Losses of the generator: made should score 1, with feature maps like those of real."""
        adversarial, features = real.new_zeros(()), real.new_zeros(())
        for judge in self.judges:
            score, maps = judge(made)
            with torch.no_grad():
                _, wanted = judge(real)
            adversarial = adversarial + (1 - score).square().mean()
            for ours, theirs in zip(maps, wanted, strict=True):
                features = features + (ours - theirs).abs().mean() / theirs.abs().mean().clamp(min=1e-3)
        return adversarial / len(self.judges), features / len(self.judges)


def patched_discriminators(rate_hz: int, width: int) -> Discriminators:
    """Adversaries on the audio that are cheap enough for a CPU."""
    judges: list[nn.Module] = []
    for fft_ms, hop_ms in PATCHED_MS:
        judges.append(PatchedSpectrum(samples_of(fft_ms, rate_hz), samples_of(hop_ms, rate_hz), width))
    for fft_ms, hop_ms, bands in MEL_MS:
        fft, hop = samples_of(fft_ms, rate_hz), samples_of(hop_ms, rate_hz)
        fft -= fft % hop
        judges.append(
            PatchedMel(LogMel(MelConfig(rate_hz, fft, fft, hop, bands, 0.0, rate_hz / 2, 1e-4)), width)
        )
    return Discriminators(judges)


def audio_discriminators(width: int) -> Discriminators:
    judges: list[nn.Module] = [PeriodDiscriminator(period, width) for period in PERIODS]
    return Discriminators(judges + [ResolutionDiscriminator(fft, hop, width) for fft, hop in RESOLUTIONS])


def audio_judges(kind: str, rate_hz: int, width: int) -> Discriminators:
    """Adversaries on audio, as a preset names them."""
    if kind == "patched":
        return patched_discriminators(rate_hz, width)
    if kind == "published":
        return audio_discriminators(width)
    raise UsageProblem(f"vocoder.losses.judges {kind!r} must be patched or published")


def spectrally_normalised(adversary: Discriminators) -> Discriminators:
    """The adversary with the spectral norm of each layer's weights held at 1, in place of a free length."""
    for layer in adversary.modules():
        if isinstance(layer, nn.Conv2d):
            remove_parametrizations(layer, "weight")
            spectral_norm(layer)
    return adversary


def mel_discriminators(width: int, mels: int) -> Discriminators:
    return Discriminators([PatchDiscriminator(width, mels)])
