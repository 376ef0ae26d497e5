"""The noise of a harmonic decoder: the phases of a loop whose spectrum hardly changes."""

from __future__ import annotations

import torch
from torch import Tensor

from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.systems.phoenix.config import CORE_HZ, HIGH_HZ, Profile
from melcodec_cli.systems.phoenix.excitation import NOISE_FRAMES
from melcodec_cli.train.steady_noise import steady_noise


def noise_phases(profile: Profile) -> Tensor:
    """(frame, bin), of the loop at CORE_HZ in the windows of its frames."""
    samples, hop_samples = (ms * CORE_HZ // 1000 for ms in (profile.window_ms, profile.hop_ms))
    mel = MelConfig(CORE_HZ, 1 << (samples - 1).bit_length(), samples, hop_samples, 80, 0.0, HIGH_HZ)
    loop = steady_noise(mel, NOISE_FRAMES).flatten()
    around = torch.cat([loop, loop[:samples]])
    windows = around.unfold(0, samples, hop_samples)[:NOISE_FRAMES] * torch.hann_window(samples)
    return torch.fft.rfft(windows)[:, : profile.bins].angle()
