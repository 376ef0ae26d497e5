"""Sound from shaped short-time spectra: the last step of vocoders at the frame rate.

A frame's spectrum is as long as an even number of hops and centred on its own hop.  All windows are Hann, applied
before and after shaping.
"""

from __future__ import annotations

import torch
from torch import Tensor

SPECTRA_AT_ONCE = 128  # more would only take more memory
LOUDEST = 8.0  # limit of the logarithm of a gain
MEAN_MAGNITUDE = 0.89  # of the spectrum of noise of unit power, relative to its root mean square


def framed(signal: Tensor, fft_samples: int, hop_samples: int) -> Tensor:
    """(batch, frame * hop) -> (batch, frame, fft), with zeros beyond both ends."""
    margin = (fft_samples - hop_samples) // 2
    return torch.nn.functional.pad(signal, (margin, margin)).unfold(1, fft_samples, hop_samples)


def shaped(gains: Tensor, pulses: Tensor, noise: Tensor, window: Tensor) -> Tensor:
    """Gains (batch, frame, 3 * bin), of pulses, of their phase, and of noise, and the spectra of both in their windows
    (batch, frame, bin or more) -> (batch, frame, fft), ready to be added up.  Bins without gains stay silent."""
    pulse_gain, turn, noise_gain = gains.chunk(3, dim=-1)
    bins = turn.shape[-1]
    voice = pulses[..., :bins] * torch.polar(pulse_gain.clamp(max=LOUDEST).exp(), turn)
    breath = noise[..., :bins] * noise_gain.clamp(max=LOUDEST).exp()
    return torch.fft.irfft(voice + breath, n=len(window)) * window


def even(noise: Tensor, window: Tensor) -> Tensor:
    """Spectra of noise of unit power (batch, frame, bin) with the same magnitude everywhere.

    As it comes, noise is 5 dB louder or softer from bin to bin and frame to frame, whatever a network asks for.
    """
    mean = MEAN_MAGNITUDE * window.square().sum().sqrt()
    return noise * (mean / noise.abs().clamp(min=1e-6))


def loop_spectra(noise: Tensor, numbers: Tensor, hop_samples: int, window: Tensor) -> Tensor:
    """Even spectra of a loop of noise (..., sample) in the windows of frames: their absolute numbers (batch, frame)
    -> (batch, frame, bin)."""
    loop, margin = noise.flatten(), (len(window) - hop_samples) // 2
    places = torch.arange(len(window), device=numbers.device) - margin
    samples = loop[(numbers.unsqueeze(-1) * hop_samples + places) % len(loop)]
    return even(torch.fft.rfft(samples * window), window)


def overlap_add(total: Tensor, parts: Tensor) -> None:
    """Add parts (batch, frame, fft), each a hop after the one before, to `total` (batch, hop, samples)."""
    for hops, part in enumerate(parts.unflatten(2, (-1, total.shape[2])).unbind(2)):
        total[:, hops : hops + part.shape[1]] += part


def audio_of(total: Tensor, overlap: int) -> Tensor:
    """Added-up frames (batch, hop, samples) -> audio (batch, samples), from half an overlap before the first hop.

    Squared Hann windows at a quarter of their length, or less, add up to 3/8 of the overlap.
    """
    return total.flatten(1) / (0.375 * overlap)
