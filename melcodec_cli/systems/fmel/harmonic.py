"""Harmonic vocoder: log-mel and pitch to audio.

A pulse train and white noise are cut into short-time spectra; the network says, for every bin, how loud each of the two
is and how far the pulses' phase is turned.  The phase of speech is thus given, not learned, which is what makes a small
network at the frame rate enough.

Noise as it comes has spectra of its own in every frame, 5 dB up and down in a band of the mel, beside what the network
asks for.  So the model may bring a loop of noise that was made steady: nearly the same in all bands and frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, FrameConv, masked, thinned
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.systems.fmel.config import MelConfig, VocoderConfig

SPECTRA_AT_ONCE = 128  # more only fill the memory


class HarmonicVocoder(nn.Module):
    window: Tensor
    mean: Tensor
    deviation: Tensor
    noise: Tensor | None

    def __init__(self, mel: MelConfig, config: VocoderConfig) -> None:
        super().__init__()
        self.hop_frames, self.fft_samples = config.hop_frames, config.fft_samples
        self.hop_samples = mel.hop_samples * config.hop_frames
        self.register_buffer("window", torch.hann_window(config.fft_samples, device="cpu"), persistent=False)
        self.register_buffer("mean", torch.zeros(mel.bands))
        self.register_buffer("deviation", torch.ones(mel.bands))
        noise = torch.zeros(config.noise_frames, mel.hop_samples) if config.noise_frames else None
        self.register_buffer("noise", noise)
        self.widen = FrameConv(mel.bands + 2, config.width, 6 + config.hop_frames, config.hop_frames)
        self.stack = BlockStack(config.width, (1,) * config.blocks)
        self.norm = nn.LayerNorm(config.width)
        # The mel says nothing of what lies above its highest band, and nothing is made there.
        self.bins = int(config.fft_samples * mel.high_hz / mel.rate_hz) + 1
        self.head = Linear(config.width, 3 * self.bins)
        # Overlap-add reaches half a window, and the spectra added reach half a window further.
        reach = self.stack.context + config.fft_samples // self.hop_samples + 1
        self.context_frames = 3 + reach * config.hop_frames

    def looped(self, frames: Tensor) -> Tensor:
        """Absolute frames (batch, frame) -> their part of the loop (batch, frame * hop)."""
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
        pulses, noise = (self._framed(self._ended(signal, inside)) for signal in (pulses, noise))
        count, overlap = x.shape[1], self.fft_samples // self.hop_samples
        total = self.window.new_zeros(len(x), count + overlap - 1, self.hop_samples)
        for first in range(0, count, SPECTRA_AT_ONCE):
            here = slice(first, first + SPECTRA_AT_ONCE)
            shaped = self._shaped(self.head(x[:, here]).float(), pulses[:, here], noise[:, here])
            self._overlap_add(masked(shaped, None if inside is None else inside[:, here]), total[:, first:])
        margin = (self.fft_samples - self.hop_samples) // 2
        # Squared Hann windows at a quarter of their length add up to 3/8 of the overlap.
        audio = total.flatten(1) / (0.375 * overlap)
        return audio[:, margin : margin + count * self.hop_samples]

    def _ended(self, signal: Tensor, inside: Tensor | None) -> Tensor:
        """(batch, spectrum * hop), zero where a row has ended."""
        return masked(signal.unflatten(1, (-1, self.hop_samples)), inside).flatten(1)

    def _framed(self, signal: Tensor) -> Tensor:
        """(batch, spectrum * hop) -> (batch, spectrum, fft); each is centred on its hop, as the mel's frames are."""
        margin = (self.fft_samples - self.hop_samples) // 2
        return nn.functional.pad(signal, (margin, margin)).unfold(1, self.fft_samples, self.hop_samples)

    def _shaped(self, gains: Tensor, pulses: Tensor, noise: Tensor) -> Tensor:
        """Gains (batch, spectrum, 3 * bin) and excitations (batch, spectrum, fft), not windowed yet
        -> (batch, spectrum, fft), windowed, to be added."""
        harmonic_gain, turn, noise_gain = gains.chunk(3, dim=-1)
        voice, breath = (torch.fft.rfft(x * self.window)[..., : self.bins] for x in (pulses, noise))
        voice = voice * torch.polar(harmonic_gain.clamp(max=8).exp(), turn)
        breath = breath * noise_gain.clamp(max=8).exp()
        return torch.fft.irfft(voice + breath, n=self.fft_samples) * self.window

    def _overlap_add(self, frames: Tensor, total: Tensor) -> None:
        """(batch, spectrum, fft), each a hop later than the one before, to (batch, hop, samples) from its begin on."""
        for hops, part in enumerate(frames.unflatten(2, (-1, self.hop_samples)).unbind(2)):
            total[:, hops : hops + part.shape[1]] += part
