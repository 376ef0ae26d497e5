"""Sound from shaped short-time spectra: the last step of vocoders at the frame rate.

A frame's spectrum is as long as an even number of hops and centred on its own hop.  All windows are Hann, applied
before and after shaping.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from melcodec_cli.layers.blocks import masked

SPECTRA_AT_ONCE = 128  # more would only take more memory
LOUDEST = 8.0  # limit of the logarithm of a gain
MOMENTUM = 0.9  # how far phases go on in the direction in which they changed
FAINT = 0.1  # part of its magnitude below which a bin's phase counts ever less
MEAN_MAGNITUDE = 0.89  # of the spectrum of noise of unit power, relative to its root mean square


def framed(signal: Tensor, fft_samples: int, hop_samples: int) -> Tensor:
    """(batch, frame * hop) -> (batch, frame, fft), with zeros beyond both ends."""
    margin = (fft_samples - hop_samples) // 2
    return torch.nn.functional.pad(signal, (margin, margin)).unfold(1, fft_samples, hop_samples)


def shaped(gains: Tensor, pulses: Tensor, noise: Tensor, window: Tensor) -> Tensor:
    """Gains (batch, frame, 3 * bin), of pulses, of their phase, and of noise, and the spectra of both in their windows
    (batch, frame, bin or more) -> (batch, frame, fft), ready to be added up.  Bins without gains stay silent."""
    return torch.fft.irfft(shaped_spectra(gains, pulses, noise), n=len(window)) * window


def shaped_spectra(gains: Tensor, pulses: Tensor, noise: Tensor) -> Tensor:
    """The same as spectra: (batch, frame, bin)."""
    pulse_gain, turn, noise_gain = gains.chunk(3, dim=-1)
    bins = turn.shape[-1]
    voice = pulses[..., :bins] * torch.polar(pulse_gain.clamp(max=LOUDEST).exp(), turn)
    return voice + noise[..., :bins] * noise_gain.clamp(max=LOUDEST).exp()


def agreed(spectra: Tensor, rounds: int, window: Tensor, hop_samples: int, inside: Tensor | None) -> Tensor:
    """Spectra (batch, frame, bin) of the same magnitudes, whose phases agree better where their windows overlap.

    A network cannot know how a tone's phase goes on from frame to frame, and where phases contradict each other, frames
    cancel.  In each round every frame takes the phases of what all of them sound like together (Griffin and Lim 1984),
    with the momentum of Perraudin, Balazs and Sondergaard (2013).
    """
    wanted = spectra.abs()
    overlap, latest = len(window) // hop_samples, None
    for _ in range(rounds):
        total = spectra.real.new_zeros(len(spectra), spectra.shape[1] + overlap - 1, hop_samples)
        overlap_add(total, torch.fft.irfft(spectra, n=len(window)) * window)
        together = torch.fft.rfft(audio_of(total, overlap).unfold(1, len(window), hop_samples) * window)
        together = together[..., : wanted.shape[-1]]
        ahead = together if latest is None else together + MOMENTUM * (together - latest)
        latest = together
        # Where nearly nothing is left, its phase means nothing: the bin stays faint.
        size = (ahead.real.square() + ahead.imag.square() + (FAINT * wanted).square() + 1e-12).sqrt()
        spectra = masked(ahead * (wanted / size), inside)
    return spectra


def agreement_bound(rounds: int) -> float:
    """The logarithm to 10 of how much farther apart spectra can be after so many rounds than before."""
    before, bound = 0.0, 1.0
    for _ in range(rounds):
        before, bound = bound, 1 + ((1 + MOMENTUM) * bound + MOMENTUM * before) / FAINT
    return math.log10(bound)


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
