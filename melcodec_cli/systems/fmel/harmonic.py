"""Harmonic vocoder: log-mel and pitch to audio.

A pulse train and white noise are cut into short-time spectra.  For every bin the network predicts the gain of each and
the phase shift of the pulses.  The phase of speech is thus given, not learned, so a small network at the frame rate is
enough.

The spectrum of white noise varies from frame to frame, by 5 dB within a band of the mel, whatever the network asks for.
So a model may include a loop of steady noise, whose level is nearly the same in all bands and frames, and may give the
spectra of noise the same magnitude in all bins.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, FrameConv, masked, thinned
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.layers.spectra import SPECTRA_AT_ONCE, audio_of, even, framed, overlap_add, shaped
from melcodec_cli.systems.fmel.config import MelConfig, VocoderConfig


class HarmonicVocoder(nn.Module):
    window: Tensor
    mean: Tensor
    deviation: Tensor
    noise: Tensor | None

    def __init__(self, mel: MelConfig, config: VocoderConfig) -> None:
        super().__init__()
        self.hop_frames, self.fft_samples = config.hop_frames, config.fft_samples
        self.noise_even = config.noise_even
        self.hop_samples = mel.hop_samples * config.hop_frames
        self.register_buffer("window", torch.hann_window(config.fft_samples, device="cpu"), persistent=False)
        self.register_buffer("mean", torch.zeros(mel.bands))
        self.register_buffer("deviation", torch.ones(mel.bands))
        noise = torch.zeros(config.noise_frames, mel.hop_samples) if config.noise_frames else None
        self.register_buffer("noise", noise)
        self.widen = FrameConv(mel.bands + 2, config.width, 6 + config.hop_frames, config.hop_frames)
        self.stack = BlockStack(config.width, (1,) * config.blocks)
        self.norm = nn.LayerNorm(config.width)
        # The mel does not cover anything above its highest band, so nothing is generated there.
        self.bins = int(config.fft_samples * mel.high_hz / mel.rate_hz) + 1
        self.head = Linear(config.width, 3 * self.bins)
        # Overlap-add reaches half a window, and the spectra added reach half a window further.
        reach = self.stack.context + config.fft_samples // self.hop_samples + 1
        self.context_frames = 3 + reach * config.hop_frames

    def looped(self, frames: Tensor) -> Tensor:
        """Absolute frame numbers (batch, frame) -> their part of the noise loop (batch, frame * hop)."""
        assert self.noise is not None
        return self.noise[frames % len(self.noise)].flatten(1)

    def forward(
        self,
        mel: Tensor,
        pitch_hz: Tensor,
        voicing: Tensor,
        pulses: Tensor,
        noise: Tensor,
        inside: Tensor | None = None,
    ) -> Tensor:
        """mel (batch, frame, band), pitch and voicing (batch, frame), excitations (batch, frame * hop) -> audio."""
        height = (pitch_hz.clamp(min=1.0) / 150.0).log2()
        features = torch.stack([height, voicing * 2 - 1], dim=-1)
        x = self.widen(torch.cat([(mel - self.mean) / self.deviation, features], dim=-1), inside)
        inside = thinned(inside, self.hop_frames)
        x = self.norm(self.stack(x, inside=inside))
        pulses, noise = (
            framed(self._ended(signal, inside), self.fft_samples, self.hop_samples)
            for signal in (pulses, noise)
        )
        count, overlap = x.shape[1], self.fft_samples // self.hop_samples
        total = self.window.new_zeros(len(x), count + overlap - 1, self.hop_samples)
        for first in range(0, count, SPECTRA_AT_ONCE):
            here = slice(first, first + SPECTRA_AT_ONCE)
            voice, breath = (torch.fft.rfft(signal[:, here] * self.window) for signal in (pulses, noise))
            breath = even(breath, self.window) if self.noise_even else breath
            part = shaped(self.head(x[:, here]).float(), voice, breath, self.window)
            overlap_add(total[:, first:], masked(part, None if inside is None else inside[:, here]))
        margin = (self.fft_samples - self.hop_samples) // 2
        return audio_of(total, overlap)[:, margin : margin + count * self.hop_samples]

    def _ended(self, signal: Tensor, inside: Tensor | None) -> Tensor:
        """Set (batch, spectrum * hop) to zero after the end of each row."""
        return masked(signal.unflatten(1, (-1, self.hop_samples)), inside).flatten(1)
