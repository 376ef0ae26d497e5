"""Vocoder of meltok: what it hears of a column to audio, without a pitch.

For each bin of a spectrum it says amplitude and phase of a part that is not random, and the amplitude of one that is.
Then spectra that overlap agree on their phases.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, masked
from melcodec_cli.layers.lipschitz import linear_bound, norm_bound, stack_bound
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.layers.spectra import (
    LOUDEST,
    MEAN_MAGNITUDE,
    SPECTRA_AT_ONCE,
    agreed,
    agreement_bound,
    audio_of,
    loop_spectra,
    overlap_add,
    shaped_spectra,
)
from melcodec_cli.layers.tokenizer import PatchDecoder
from melcodec_cli.systems.meltok.config import Profile

AHEAD = 2  # columns that each block of patches looks ahead, as many as it looks back
FLAT = 1e-2  # variance below which nothing is normalised: each norm has part in the bound by the root of 1 / FLAT
USUAL = -6.0  # logarithm of the gains that it begins with, those of a soft sound
ROW_CHANNELS = 32  # that each row of tokens adds to a frame


class MelEar(nn.Module):
    """Hears standardised mels."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.frames = profile.vocoder.hop_frames
        self.widen = Linear(self.frames * profile.mel.bands, profile.vocoder.width)

    def forward(self, mel: Tensor) -> Tensor:
        """(batch, frame, band) -> (batch, frame / hop_frames, width)."""
        return self.widen(mel.unflatten(1, (-1, self.frames)).flatten(2))

    def bound(self) -> float:
        return linear_bound(self.widen)


class TokenEar(nn.Module):
    """Hears codewords, and what a mel decoder of its own makes of them."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        config = profile.tokenizer
        self.frames = config.side // profile.vocoder.hop_frames  # of a column
        self.decoder = PatchDecoder(profile.rows, config, config.attention, AHEAD)
        self.split = Linear(config.width + config.lookup_width, self.frames * ROW_CHANNELS)
        self.widen = Linear(profile.rows * ROW_CHANNELS, profile.vocoder.width)

    def like(self, mel_ear: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights with which it hears what an ear for mels with these weights hears in the mel of its decoder.

        What its channels have beyond that mel is heard from the first step on.
        """
        weights = {name: value.clone() for name, value in self.state_dict().items()}
        side, head = self.decoder.side, self.decoder.head
        times = side // self.frames  # of the mel, in each of its own frames
        values = times * side  # of the mel, in a row and a frame
        weight, bias = (
            weights[f"split.{name}"].unflatten(0, (self.frames, -1)) for name in ("weight", "bias")
        )
        weight[:, :values] = 0
        weight[:, :values, : head.in_features] = head.weight.unflatten(0, (self.frames, -1))
        bias[:, :values] = head.bias.unflatten(0, (self.frames, -1))
        widen = weights["widen.weight"].zero_().unflatten(1, (-1, ROW_CHANNELS))
        heard = mel_ear["widen.weight"].unflatten(1, (times, -1, side))
        widen[..., :values] = heard.transpose(1, 2).flatten(2)
        weights["widen.bias"] = mel_ear["widen.bias"]
        return weights

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        """Codewords and features of the decoder (batch, column, row, ...) -> (batch, column * frames, width)."""
        rows = self.split(torch.cat([features, points.to(features.dtype)], -1))
        frames = rows.unflatten(3, (self.frames, -1)).transpose(2, 3)  # (batch, column, frame, row, channel)
        return self.widen(frames.flatten(3).flatten(1, 2))

    def bound(self) -> float:
        """Of what it hears, which the decoder's features are part of."""
        return linear_bound(self.split) + linear_bound(self.widen)


class Vocoder(nn.Module):
    window: Tensor
    impulse: Tensor
    noise: Tensor

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        config = profile.vocoder
        self.hop_samples, self.fft_samples = profile.vocoder_hop_samples, config.fft_samples
        self.overlap = config.fft_samples // self.hop_samples
        self.margin = (config.fft_samples - self.hop_samples) // 2
        self.ear = (TokenEar if config.hears == "tokens" else MelEar)(profile)
        snake = config.nonlinearity == "snake"
        self.stack = BlockStack(config.width, (1,) * config.blocks, snake=snake, flat=FLAT)
        self.norm = nn.LayerNorm(config.width, FLAT)
        self.bins = 1 + math.ceil(profile.mel.high_hz * config.fft_samples / profile.mel.rate_hz)
        self.bins = min(self.bins, config.fft_samples // 2 + 1)
        self.head = Linear(config.width, 3 * self.bins)
        with torch.no_grad():
            for gains in self.head.bias.view(3, -1)[::2]:  # of the part with a phase, and of noise
                gains.fill_(USUAL)
        window = torch.hann_window(config.fft_samples, device="cpu")
        self.register_buffer("window", window, persistent=False)
        # What a phase of 0 means: an impulse in the middle of the window, as strong as the noise.
        strength = MEAN_MAGNITUDE * window.square().sum().sqrt()
        signs = 1 - 2 * (torch.arange(self.bins, device="cpu") % 2)
        self.register_buffer("impulse", strength * signs, persistent=False)
        self.register_buffer("noise", torch.zeros(config.noise_frames, profile.mel.hop_samples))  # a loop
        self.rounds = config.rounds
        # Spectra that reach into a hop, those that had part in their phases, and the field of the network for each.
        self.context_frames = self.overlap // 2 + self.rounds * (self.overlap - 1) + self.stack.context

    def forward(self, x: Tensor, numbers: Tensor, inside: Tensor | None = None) -> Tensor:
        """What its ear heard (batch, frame, width), absolute numbers of its frames (batch, frame)
        -> audio (batch, frame * hop).  inside (batch, frame, 1): where it may sound."""
        x = self.norm(self.stack(masked(x, inside), inside=inside))
        total = self.window.new_zeros(len(x), x.shape[1] + self.overlap - 1, self.hop_samples)
        spectra = []
        for first in range(0, x.shape[1], SPECTRA_AT_ONCE):
            here = slice(first, first + SPECTRA_AT_ONCE)
            noise = loop_spectra(self.noise, numbers[:, here], self.hop_samples, self.window)
            spectra.append(shaped_spectra(self.head(x[:, here]).float(), self.impulse, noise))
        sounding = masked(torch.cat(spectra, 1), inside)
        sounding = agreed(sounding, self.rounds, self.window, self.hop_samples, inside)
        overlap_add(total, torch.fft.irfft(sounding, n=self.fft_samples) * self.window)
        audio = audio_of(total, self.overlap)
        return audio[:, self.margin : self.margin + x.shape[1] * self.hop_samples]

    def bounds(self) -> dict[str, float]:
        """Lipschitz constants of its steps, as logarithms to 10: how far apart two sounds are at most, in the length of
        their difference, relative to what was heard."""
        # A bin's part and its noise change with their gains at most as fast as when these are greatest, the inverse
        # transform spreads both halves of a spectrum over the window, and every sample lies in `overlap` windows.
        fastest = float(self.impulse.abs().max()) * math.exp(LOUDEST) * math.sqrt(2)
        spread = math.sqrt(2 / self.fft_samples) * math.sqrt(self.overlap) / (0.375 * self.overlap)
        return {
            "ear": self.ear.bound(),
            "blocks": stack_bound(self.stack),
            "norm": norm_bound(self.norm),
            "head": linear_bound(self.head),
            "rounds": agreement_bound(self.rounds),
            "spectra": math.log10(fastest * spread),
        }
