"""Third-octave envelopes over short segments, whose correlation predicts intelligibility (extended STOI)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.mel_config import MelConfig

SPAN_S = 0.38  # length of the segments that are correlated
STEP_S = 0.06


class EnvelopeSegments(nn.Module):
    member: Tensor

    def __init__(self, filters: Tensor, mel: MelConfig) -> None:
        """filters (bin, band): those of the mel."""
        super().__init__()
        self.span, self.step = round(SPAN_S * mel.frames_per_s), round(STEP_S * mel.frames_per_s)
        member = third_octaves(band_centres_hz(filters, mel.rate_hz))
        self.register_buffer("member", member, persistent=False)

    def forward(self, log_mel: Tensor) -> Tensor:
        """(batch, frame, band) -> (batch, segment, third octave, frame), each frame normalised to length 1."""
        power = (2 * log_mel.float().clamp(max=8.0)).exp()
        envelope = (power @ self.member + 1e-9).sqrt()  # (batch, frame, third)
        if envelope.shape[1] < self.span:
            return envelope.new_zeros(len(envelope), 0, envelope.shape[2], self.span)
        return _unit(_unit(envelope.unfold(1, self.span, self.step), -1), -2)

    @staticmethod
    def correlation(one: Tensor, other: Tensor) -> Tensor:
        """Correlation of two sets of segments: (batch, segment)."""
        return (one * other).sum(-2).mean(-1)


def _unit(x: Tensor, dim: int) -> Tensor:
    x = x - x.mean(dim, keepdim=True)
    return x / (x.square().sum(dim, keepdim=True) + 1e-8).sqrt()


def third_octaves(band_hz: Tensor, low_hz: float = 150.0, count: int = 15) -> Tensor:
    """Which mel bands belong to which third-octave band, from `low_hz` up: (bands, count)."""
    centres = low_hz * 2 ** (torch.arange(count, device=band_hz.device) / 3)
    member = (band_hz[:, None] >= centres * 2 ** (-1 / 6)) & (band_hz[:, None] < centres * 2 ** (1 / 6))
    member = member.float()
    empty = member.sum(0) == 0
    nearest = (band_hz[:, None] - centres).abs().argmin(0)
    member[nearest[empty], empty] = 1.0
    return member


def band_centres_hz(filters: Tensor, rate_hz: int) -> Tensor:
    """Centre of gravity of each mel filter: (bin, band) -> (band,)."""
    hz = torch.linspace(0, rate_hz / 2, filters.shape[0], device=filters.device)
    return (filters * hz[:, None]).sum(0) / filters.sum(0).clamp(min=1e-9)
