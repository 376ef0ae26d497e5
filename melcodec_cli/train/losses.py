"""Losses on log-mel frames, (batch, frame, band)."""

from __future__ import annotations

import torch
from torch import Tensor

from melcodec_cli.layers.envelope import EnvelopeSegments


def envelope_loss(decoded: Tensor, target: Tensor, envelope: EnvelopeSegments) -> Tensor:
    """1 - correlation of short-time third-octave envelopes.

    Segments more than 40 dB below the clip's loudest are left out.
    """
    correlation = envelope.correlation(envelope(decoded), envelope(target))  # (batch, segment)
    energy = target.float().exp().square().sum(-1).unfold(1, envelope.span, envelope.step).mean(-1)
    heard = (energy > energy.amax(1, keepdim=True) * 1e-4).float()
    return 1 - (correlation * heard).sum() / heard.sum().clamp(min=1)


def average_loss(decoded: Tensor, target: Tensor, heard: Tensor) -> Tensor:
    """Difference of each band's mean and deviation over the crop, in the bands that each recording contains."""
    mean = (decoded.mean(1, keepdim=True) - target.mean(1, keepdim=True)).abs()
    deviation = (decoded.std(1, keepdim=True) - target.std(1, keepdim=True)).abs()
    return masked_mean(mean + deviation, heard)


def lower_edges_hz(filters: Tensor, rate_hz: int) -> Tensor:
    """Lowest frequency that each mel filter passes, 0 if it passes none: (bin, band) -> (band,)."""
    hz = torch.linspace(0, rate_hz / 2, filters.shape[0], device=filters.device)
    return torch.where(filters > 0, hz[:, None], torch.inf).amin(0).nan_to_num(posinf=0.0)


def masked_mean(values: Tensor, heard: Tensor) -> Tensor:
    """Mean where `heard`, which broadcasts over `values`, is true."""
    share = heard.expand_as(values)
    return values.masked_fill(~share, 0.0).sum() / share.sum().clamp(min=1)


def excess(decoded: Tensor, heard: Tensor, silence: float) -> Tensor:
    """Mean level above silence where the recording holds nothing and so gives no target."""
    return masked_mean((decoded - silence).clamp(min=0), ~heard)
