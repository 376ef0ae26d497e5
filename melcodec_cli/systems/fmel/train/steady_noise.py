"""Noise whose spectrum hardly changes, for the vocoder to shape.

White noise is white on average only: within one window and one narrow band it lies 5 dB (standard deviation) above
or below that, by chance, and so does speech that is made of it.  Here chance is taken away, by going down the gradient
of how far the bands are from their average.  Within the window all stays as random as it was.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from melcodec_cli.layers.mel import slaney_filters
from melcodec_cli.layers.mel_config import MelConfig

BANDS = 40  # wide ones: in a narrow one, steady noise would be a tone, and be taken for a voice
STEPS = 150
RATE = 0.05
SEED = 1
SILENCE = 1e-3  # of a band's power, which is 1 on average: what lies below is not told apart


def steady_noise(mel: MelConfig, frames: int) -> Tensor:
    """(frame, hop), of unit power, to be played in a loop; the same every time."""
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
    """Of noise (samples,) in a loop -> power (window, bin), 1 on average."""
    around = torch.cat([noise, noise[: mel.fft_samples]])
    hop_samples = mel.window_samples // 4
    spectrum = torch.stft(
        around, mel.fft_samples, hop_samples, mel.window_samples, window, center=False, return_complex=True
    )
    return spectrum.abs().square().T / window.square().sum()
