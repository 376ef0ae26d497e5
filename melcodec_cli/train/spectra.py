"""Losses on audio, (batch, samples), that compare its spectra."""

from __future__ import annotations

import torch
from torch import Tensor

from melcodec_cli.train.losses import masked_mean

STFTS_MS = ((16, 4), (32, 8), (64, 16), (128, 32))  # FFT and hop
PHASE_MS = (24, 6)
STEADY_HZ = 1000.0  # up to here phases count most: above, the ear follows them less and less
GRAIN = 8  # lengths are multiples of it: with others, such as 1411, Fourier transforms are slow


def samples_of(length_ms: int, rate_hz: int) -> int:
    """Samples of a window or hop of so many milliseconds."""
    samples = length_ms * rate_hz // 1000
    return samples - samples % GRAIN


def narrowed(audio: Tensor, rate_hz: int, bandwidth_hz: Tensor) -> Tensor:
    """Remove everything above the bandwidth (batch,) of each row of (batch, samples)."""
    samples = audio.shape[1]
    bins_hz = torch.arange(samples // 2 + 1, device=audio.device) * (rate_hz / samples)
    heard = bins_hz <= bandwidth_hz.unsqueeze(1)
    return torch.fft.irfft(torch.fft.rfft(audio.float()) * heard, samples)


def spectral_loss(made: Tensor, real: Tensor, rate_hz: int, bandwidth_hz: Tensor) -> Tensor:
    """Spectral convergence plus log-magnitude distance at several resolutions, on (batch, samples), each row up to the
    bandwidth (batch,) of its recording."""
    total = made.new_zeros(())
    for fft_ms, hop_ms in STFTS_MS:
        fft, hop = samples_of(fft_ms, rate_hz), samples_of(hop_ms, rate_hz)
        bins_hz = torch.arange(fft // 2 + 1, device=made.device) * (rate_hz / fft)
        heard = (bins_hz <= bandwidth_hz.unsqueeze(1)).unsqueeze(2)  # (batch, bin, 1)
        window = torch.hann_window(fft, device=made.device)
        spectra = [
            torch.stft(signal, fft, hop, window=window, return_complex=True).abs().clamp(min=1e-5) * heard
            for signal in (made, real)
        ]
        difference = torch.linalg.matrix_norm(spectra[1] - spectra[0])
        convergence = (difference / torch.linalg.matrix_norm(spectra[1]).clamp(min=1e-2)).mean()
        # Floor at -60 dB of full scale: below it nothing is audible and logarithms grow without bound.
        logs = [(spectrum + 1e-3).log() for spectrum in spectra]
        total = total + convergence + masked_mean((logs[0] - logs[1]).abs(), heard)
    return total / len(STFTS_MS)


def phase_loss(made: Tensor, real: Tensor, rate_hz: int, bandwidth_hz: Tensor) -> Tensor:
    """How much phases differ in their steps from frame to frame and from bin to bin: 0 if not at all, 1 if by chance.

    Steps, as no codec of magnitudes can know the phases themselves.  A cosine compares them, which needs no unwrapping.
    Loud bins and low frequencies count most.
    """
    fft, hop = (samples_of(each, rate_hz) for each in PHASE_MS)
    window = torch.hann_window(fft, device=made.device)
    ours, theirs = (torch.stft(each, fft, hop, window=window, return_complex=True) for each in (made, real))
    bins_hz = torch.arange(fft // 2 + 1, device=made.device) * (rate_hz / fft)
    matters = (bins_hz <= bandwidth_hz.unsqueeze(1)) / (1 + bins_hz / STEADY_HZ)  # (batch, bin)
    total = made.new_zeros(())
    for dim in (1, 2):
        steps = [
            each.narrow(dim, 1, each.shape[dim] - 1) * each.narrow(dim, 0, each.shape[dim] - 1).conj()
            for each in (ours, theirs)
        ]
        turn = steps[0] * steps[1].conj()
        weight = steps[1].abs().sqrt() * matters[:, : turn.shape[1], None]
        likeness = turn.real / (turn.abs() + 1e-7)
        total = total + (weight * (1 - likeness)).sum() / weight.sum().clamp(min=1e-6)
    return total / 2
