"""What the codec's audio is judged by: spectra at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from melcodec_cli.layers.mel import slaney_filters
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.train.losses import lower_edges_hz, masked_mean

SCALES = ((8, 2, 20), (16, 4, 40), (32, 8, 80), (64, 16, 80))  # window and hop in ms, bands
FAINTEST = 1e-10  # squared magnitude below which a bin counts as silence: it has no phase worth having


class Distances(NamedTuple):
    """Means over the resolutions."""

    mel: Tensor  # between logarithms of mels
    magnitude: Tensor  # between square roots of magnitudes, relative to their mean
    complex: Tensor  # the same between spectra with these magnitudes, so including the phase


class Scale(nn.Module):
    """Spectra of one resolution, relative to the sum of the window."""

    window: Tensor
    filters: Tensor
    edges_hz: Tensor
    bins_hz: Tensor  # lower edges, like those of the bands

    def __init__(self, rate_hz: int, window_ms: int, hop_ms: int, bands: int) -> None:
        super().__init__()
        samples, self.hop_samples = window_ms * rate_hz // 1000, hop_ms * rate_hz // 1000
        mel = MelConfig(rate_hz, samples, samples, self.hop_samples, bands, 0.0, rate_hz / 2)
        filters = torch.from_numpy(slaney_filters(mel))
        window = torch.hann_window(samples, device="cpu")
        constants = {
            "window": window / window.sum(),
            "filters": filters / filters.sum(0).clamp(min=1e-9),  # so that a mel is a mean magnitude
            "edges_hz": lower_edges_hz(filters, rate_hz),
            "bins_hz": torch.linspace(0, rate_hz / 2, samples // 2 + 1) - rate_hz / samples / 2,
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(batch, sample) -> log-mel (batch, frame, band); square roots of magnitudes (batch, frame, bin), and spectra
        of these magnitudes, real and imaginary."""
        spectrum = torch.stft(
            audio, len(self.window), self.hop_samples, window=self.window, return_complex=True
        ).transpose(1, 2)
        real, imaginary = spectrum.real, spectrum.imag
        magnitude = (real.square() + imaginary.square() + FAINTEST).sqrt()
        small = magnitude.rsqrt()
        mel = (magnitude @ self.filters).clamp(min=1e-9).log()
        return mel, magnitude * small, real * small, imaginary * small


class SpectralDistances(nn.Module):
    def __init__(self, rate_hz: int, scales: Sequence[tuple[int, int, int]] = SCALES) -> None:
        super().__init__()
        self.scales = nn.ModuleList(Scale(rate_hz, *scale) for scale in scales)

    def forward(self, made: Tensor, real: Tensor, bandwidth_hz: Tensor) -> Distances:
        """Of (batch, sample), each row up to the bandwidth (batch,) of its recording."""
        found = [_at_scale(scale, made, real, bandwidth_hz) for scale in self.scales]
        return Distances(*torch.stack(found).mean(0))


def _at_scale(scale: nn.Module, made: Tensor, real: Tensor, bandwidth_hz: Tensor) -> Tensor:
    edges_hz, bins_hz = scale.get_buffer("edges_hz"), scale.get_buffer("bins_hz")
    bands, bins = (
        (hz < bandwidth_hz.unsqueeze(1)).unsqueeze(1) for hz in (edges_hz, bins_hz)
    )  # (batch, 1, place)
    with torch.no_grad():
        wanted = scale(real)
        size, real_part, imaginary_part = (_mean(each.abs(), bins) for each in wanted[1:])
    mel, root, *parts = ((one - other).abs() for one, other in zip(scale(made), wanted, strict=True))
    complex_ = _mean(parts[0], bins) + _mean(parts[1], bins)
    return torch.stack([_mean(mel, bands), _mean(root, bins) / size, complex_ / (real_part + imaginary_part)])


def _mean(values: Tensor, heard: Tensor) -> Tensor:
    """The mean where `heard` is true, at no cost if that is everywhere."""
    return values.mean() if heard.all() else masked_mean(values, heard)
