"""Excitation of the harmonic vocoder: a band-limited pulse train whose phase does not depend on the past."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from melcodec_cli.systems.span import Span

# Within this many samples of a chunk's borders the phase follows the pitch alone, so that the neighbouring chunk, which
# sees only this much, computes the same excitation.
MARGIN_HOPS = 6


def per_sample(values: Tensor, hop_samples: int) -> Tensor:
    """Interpolate linearly between frame centres, in double precision: (batch, frame) -> (batch, frame * hop)."""
    held = torch.nn.functional.interpolate(
        values.double().unsqueeze(1), scale_factor=hop_samples, mode="linear", align_corners=False
    )
    return held.squeeze(1)


def voiced_share(voicing: Tensor, hop_samples: int) -> Tensor:
    """Gain of the pulse train for each sample, from the probability of voicing: (batch, frame) -> samples.

    It is 0 in frames that are more likely unvoiced: even a faint pulse train is heard, and measured, as a voice.
    """
    gate = ((voicing - 0.4) * 5).clamp(0, 1)
    return per_sample(gate, hop_samples).float()


def chunk_phase(sample_hz: Tensor, rate_hz: int, hop_samples: int, spans: Sequence[Span]) -> Tensor:
    """Phase in cycles, zero at the first sample of the chunk and a whole number at its end.

    sample_hz (batch, samples), spans in samples.  Because every chunk begins at phase zero, chunks can be decoded
    alone, in any order or in parallel, without a click between them.  The correction, at most half a cycle, is spread
    over the inside of the chunk: an inaudible change of pitch.
    """
    values = [(span.before, span.kept, min(span.before + span.kept, span.total - 1)) for span in spans]
    start, length, end = torch.tensor(values, device=sample_hz.device).T.unsqueeze(-1)  # (batch, 1) each
    cycles = torch.cumsum(sample_hz / rate_hz, dim=1)
    cycles = cycles - cycles.gather(1, start)
    total = cycles.gather(1, end)
    missing = total.round() - total
    margin = MARGIN_HOPS * hop_samples
    inside = length - 2 * margin
    position = torch.arange(cycles.shape[1], device=cycles.device) - (start + margin)
    share = (position / inside.clamp(min=1)).clamp(0, 1)
    smooth = share.square() * (3 - 2 * share)
    return cycles + torch.where(inside > 0, missing * smooth, 0.0)


def pulse_train(phase: Tensor, sample_hz: Tensor, rate_hz: int) -> Tensor:
    """Sum of all cosine harmonics below half the rate, at unit power: sin((2N+1)p/2) / (2 sin(p/2)) - 1/2."""
    harmonics = torch.floor(rate_hz / 2 / sample_hz).clamp(min=1)
    half = torch.pi * (phase - phase.round())  # near 0 at a pulse, where rounding matters most
    sine = torch.sin(half)
    at_pulse = sine.abs() < 1e-6
    ratio = torch.sin((2 * harmonics + 1) * half) / torch.where(at_pulse, 1.0, sine)
    total = torch.where(at_pulse, 2 * harmonics + 1, ratio)
    return ((total - 1) / 2 * torch.sqrt(2 / harmonics)).float()
