"""Spectral contrast: a coarse mel is an average over spectra that might have been, whose hills and valleys are flat."""

from __future__ import annotations

import torch
from torch import Tensor

SPAN = 0.39  # of the bands, over which a spectrum is smoothed to find its hills: wider than a formant


def contrast_matrix(bands: int, amount: float) -> Tensor:
    """(bands, bands), which multiplies a log-mel's distance from its smoothed self by `amount`, frame by frame."""
    reach = max(1, round(SPAN * bands / 2))
    place = torch.arange(bands)
    smooth = torch.zeros(bands, bands)
    for offset, weight in zip(range(-reach, reach + 1), torch.hann_window(2 * reach + 3)[1:-1], strict=True):
        smooth[(place + offset).clamp(0, bands - 1), place] += weight  # at the edges the last band goes on
    identity = torch.eye(bands)
    return identity + (amount - 1) * (identity - smooth / smooth.sum(0))
