"""Noise whose spectrum hardly changes, for the vocoder to shape.

White noise is white only on average: in one window and one narrow band its level varies by 5 dB (standard deviation),
and so does speech made from it.  Here gradient descent brings each band close to its average.  Within a window
the noise stays as random as before.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from melcodec_cli.layers.mel import slaney_filters
from melcodec_cli.layers.mel_config import MelConfig

BANDS = 40  # wide ones: steady noise in a narrow band would be a tone and sound voiced
STEPS = 150
RATE = 0.05
SEED = 1
SILENCE = 1e-3  # relative to a band's average power of 1: anything below counts as equal


def steady_noise(mel: MelConfig, frames: int) -> Tensor:
    """Noise (frame, hop) of unit power to be played in a loop, the same on every call."""
    wide = dataclasses.replace(mel, bands=BANDS, high_hz=mel.rate_hz / 2)
    filters = torch.from_numpy(slaney_filters(wide))
    filters = filters / filters.sum(0)
    window = torch.hann_window(mel.window_samples)
    chance = torch.Generator().manual_seed(SEED)
    noise = torch.randn(frames * mel.hop_samples, generator=chance, requires_grad=True)
    optimiser = torch.optim.Adam([noise], RATE)
    with torch.enable_grad():
        for step in range(STEPS):
            optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
            optimiser.zero_grad()
            power = bin_powers(noise, mel, window) @ filters
            (power + SILENCE).log().square().mean().backward()
            optimiser.step()
    return (noise / noise.std()).detach().reshape(frames, mel.hop_samples)


def bin_powers(noise: Tensor, mel: MelConfig, window: Tensor) -> Tensor:
    """Looped noise (samples,) -> power (window, bin), 1 on average."""
    around = torch.cat([noise, noise[: mel.fft_samples]])
    hop_samples = mel.window_samples // 4
    spectrum = torch.stft(
        around, mel.fft_samples, hop_samples, mel.window_samples, window, center=False, return_complex=True
    )
    return spectrum.abs().square().T / window.square().sum()
