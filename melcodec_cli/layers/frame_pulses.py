"""Excitation without a look into the future: a stretch of pulses for each frame.

A frame knows its own pitch and phase and the pitch of the frame before.  Its pulses go on from there over the length of
its window, and frames overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from melcodec_cli.layers.excitation import pulse_train
from melcodec_cli.systems.span import Span

# Within this many frames of a chunk's borders the phase follows the pitch alone, so that the neighbouring chunk, which
# sees only this much, computes the same excitation.
MARGIN_FRAMES = 6
JUMP = (
    0.1  # pitch that changes more than this from one frame to the next is taken as a new one, not as a glide
)


def cycles_per_frame(pitch_hz: Tensor, rate_hz: int, hop_samples: int) -> Tensor:
    return pitch_hz.double() * (hop_samples / rate_hz)


def chunk_phase(cycles: Tensor, spans: Sequence[Span]) -> Tensor:
    """Cycles of each frame (batch, frame) -> phase in cycles at its centre.

    It is zero at the beginning of the chunk and, unless the stream ends there, a whole number at its end.  So chunks
    can be decoded alone without a click between them.

    The correction, at most half a cycle, is spread over the inside of the chunk: an inaudible change of pitch.
    """
    ends = torch.cumsum(cycles, 1)
    places = [(span.before, span.kept, span.before + span.kept - 1, span.after > 0) for span in spans]
    first, length, last, goes_on = torch.tensor(places, device=cycles.device).T.unsqueeze(-1)  # (batch, 1)
    start = (ends - cycles).gather(1, first)
    total = ends.gather(1, last) - start
    inside = length - 2 * MARGIN_FRAMES
    position = torch.arange(cycles.shape[1], device=cycles.device) + 0.5 - (first + MARGIN_FRAMES)
    share = (position / inside.clamp(min=1)).clamp(0, 1)
    smooth = share.square() * (3 - 2 * share)
    missing = torch.where((inside > 0) & (goes_on > 0), total.round() - total, 0.0)
    return ends - cycles / 2 - start + missing * smooth


def glides(pitch_hz: Tensor, before_hz: Tensor) -> Tensor:
    """The change of pitch in each frame, from the pitch of the frame before it; 0 where a new voice begins."""
    change = pitch_hz - before_hz
    return torch.where(change.abs() < JUMP * pitch_hz, change, 0.0)


def local_pulses(
    pitch_hz: Tensor, glide_hz: Tensor, phase: Tensor, rate_hz: int, hop_samples: int, fft_samples: int
) -> Tensor:
    """Pitch, its change, and phase at the centres of frames (batch, frame) -> pulses in their windows."""
    hops = (torch.arange(fft_samples, device=pitch_hz.device) + 0.5 - fft_samples / 2) / hop_samples
    hz, glide_hz = pitch_hz.unsqueeze(-1), glide_hz.unsqueeze(-1)
    turned = (hz * hops + 0.5 * glide_hz * hops.square()) * (hop_samples / rate_hz)
    return pulse_train((phase - phase.round()).float().unsqueeze(-1) + turned, hz, rate_hz)


def gate(voicing: Tensor) -> Tensor:
    """Gain of the pulses from the probability of voicing.

    It is 0 where a frame is more likely unvoiced: even faint pulses are heard, and measured, as a voice.
    """
    return ((voicing - 0.4) * 5).clamp(0, 1)
