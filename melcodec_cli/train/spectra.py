"""Losses on audio, (batch, samples), that compare its spectra."""

from __future__ import annotations

import torch
from torch import Tensor

from melcodec_cli.train.losses import masked_mean

STFTS_MS = ((16, 4), (32, 8), (64, 16), (128, 32))  # FFT and hop


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
        fft, hop = fft_ms * rate_hz // 1000, hop_ms * rate_hz // 1000
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
