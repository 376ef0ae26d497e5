"""Losses on log-mel frames, (batch, frame, band)."""

from __future__ import annotations

import torch
from torch import Tensor

ENVELOPE_S = 0.38  # the span over which intelligibility is correlated
ENVELOPE_STEP_S = 0.06
CHANGE_S = 0.01  # over which the difference loss looks


def third_octaves(band_hz: Tensor, low_hz: float = 150.0, count: int = 15) -> Tensor:
    """Membership of mel bands in third-octave bands from `low_hz` up: (bands, count)."""
    centres = low_hz * 2 ** (torch.arange(count, device=band_hz.device) / 3)
    member = (band_hz[:, None] >= centres * 2 ** (-1 / 6)) & (band_hz[:, None] < centres * 2 ** (1 / 6))
    member = member.float()
    empty = member.sum(0) == 0
    nearest = (band_hz[:, None] - centres).abs().argmin(0)
    member[nearest[empty], empty] = 1.0
    return member


def envelope_loss(decoded: Tensor, target: Tensor, member: Tensor, frames_per_s: float) -> Tensor:
    """1 - correlation of short-time third-octave envelopes, normalised as in extended STOI.

    Segments more than 40 dB under the clip's loudest are left out.
    """
    span, step = round(ENVELOPE_S * frames_per_s), round(ENVELOPE_STEP_S * frames_per_s)
    segments = [_normal(log_mel, member, span, step) for log_mel in (decoded, target)]
    energy = target.float().exp().square().sum(-1).unfold(1, span, step).mean(-1)
    heard = (energy > energy.amax(1, keepdim=True) * 1e-4).float()
    correlation = (segments[0] * segments[1]).sum(-2).mean(-1)  # (batch, segment)
    return 1 - (correlation * heard).sum() / heard.sum().clamp(min=1)


def _normal(log_mel: Tensor, member: Tensor, span: int, step: int) -> Tensor:
    power = (2 * log_mel.float().clamp(max=8.0)).exp()
    envelope = (power @ member + 1e-9).sqrt()  # (batch, frame, third)
    parts = envelope.unfold(1, span, step)  # (batch, segment, third, frame)
    parts = _unit(parts, -1)
    return _unit(parts, -2)


def _unit(x: Tensor, dim: int) -> Tensor:
    x = x - x.mean(dim, keepdim=True)
    return x / (x.square().sum(dim, keepdim=True) + 1e-8).sqrt()


def average_loss(decoded: Tensor, target: Tensor, heard: Tensor) -> Tensor:
    """How far each band's mean and deviation over the crop differ, in the bands of each row that are heard."""
    mean = (decoded.mean(1, keepdim=True) - target.mean(1, keepdim=True)).abs()
    deviation = (decoded.std(1, keepdim=True) - target.std(1, keepdim=True)).abs()
    return masked_mean(mean + deviation, heard)


def band_centres_hz(filters: Tensor, rate_hz: int) -> Tensor:
    """Centre of gravity of each mel filter: (bin, band) -> (band,)."""
    hz = torch.linspace(0, rate_hz / 2, filters.shape[0], device=filters.device)
    return (filters * hz[:, None]).sum(0) / filters.sum(0).clamp(min=1e-9)


def upper_edges_hz(filters: Tensor, rate_hz: int) -> Tensor:
    """Highest frequency that each mel filter lets through: (bin, band) -> (band,)."""
    hz = torch.linspace(0, rate_hz / 2, filters.shape[0], device=filters.device)
    return ((filters > 0) * hz[:, None]).amax(0)


def masked_mean(values: Tensor, heard: Tensor) -> Tensor:
    """Mean where `heard`, which broadcasts over `values`, is true."""
    share = heard.expand_as(values)
    return values.masked_fill(~share, 0.0).sum() / share.sum().clamp(min=1)


def excess(decoded: Tensor, heard: Tensor, silence: float) -> Tensor:
    """How far the log-mel stands above silence where the recording holds nothing, and is therefore no target."""
    return masked_mean((decoded - silence).clamp(min=0), ~heard)
