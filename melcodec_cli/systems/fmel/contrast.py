"""Spectral contrast: a coarse mel averages over possible spectra, which flattens its peaks and valleys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPAN = 0.39  # share of the bands over which a spectrum is smoothed to find its peaks: wider than a formant


class Contrast(nn.Module):
    """Multiplies a log-mel's distance from its smoothed self by `amount`, frame by frame."""

    smooth: Tensor

    def __init__(self, bands: int, amount: float, silence: float) -> None:
        super().__init__()
        self.amount, self.silence = amount, silence
        self.register_buffer("smooth", smoothing_matrix(bands), persistent=False)

    def forward(self, mel: Tensor, mean: Tensor) -> Tensor:
        """Add contrast to a log-mel (..., band), relative to mean (band,), the average spectrum of speech: peaks that
        all voices share are not raised.

        Silent bands stay silent and are ignored: otherwise the band edge of a narrow recording would be a peak."""
        sounding = (mel - self.silence).clamp(0, 1)
        own = (mel - mean) * sounding
        around = (own @ self.smooth) / (sounding @ self.smooth).clamp(min=1e-3)
        return mel + (self.amount - 1) * (own - around * sounding)


def smoothing_matrix(bands: int) -> Tensor:
    """Smoothing as a matrix (bands, bands) whose columns add up to 1."""
    reach = max(1, round(SPAN * bands / 2))
    place = torch.arange(bands, device="cpu")
    smooth = torch.zeros(bands, bands, device="cpu")
    weights = torch.hann_window(2 * reach + 3, device="cpu")[1:-1]
    for offset, weight in zip(range(-reach, reach + 1), weights, strict=True):
        smooth[(place + offset).clamp(0, bands - 1), place] += (
            weight  # beyond the edges the outermost band is repeated
        )
    return smooth / smooth.sum(0)
