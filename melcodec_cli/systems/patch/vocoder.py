"""Vocoder of the patch codec: log-mel and pitch to audio, without a look into the future.

It shapes the spectra of pulses and of noise.  Every frame sees its whole column, all of which arrives at once,
and the frames before.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, masked
from melcodec_cli.layers.frame_pulses import gate, glides, local_pulses
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.memory import Memory, surrounded
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.layers.spectra import SPECTRA_AT_ONCE, audio_of, loop_spectra, overlap_add, shaped
from melcodec_cli.systems.patch.config import VocoderConfig


class PatchVocoder(nn.Module):
    window: Tensor
    mean: Tensor
    deviation: Tensor
    noise: Tensor

    def __init__(self, mel: MelConfig, side: int, config: VocoderConfig) -> None:
        super().__init__()
        self.side, self.rate_hz, self.hop_samples = side, mel.rate_hz, mel.hop_samples
        self.fft_samples = config.fft_samples
        self.overlap = config.fft_samples // mel.hop_samples
        self.margin = (config.fft_samples - mel.hop_samples) // 2
        self.register_buffer("window", torch.hann_window(config.fft_samples, device="cpu"), persistent=False)
        self.register_buffer("mean", torch.zeros(mel.bands))
        self.register_buffer("deviation", torch.ones(mel.bands))
        self.register_buffer("noise", torch.zeros(config.noise_frames, mel.hop_samples))  # a loop
        self.column = Linear(side * mel.bands, side * config.width)
        self.source = Linear(2, config.width)
        self.stack = BlockStack(config.width, (1,) * config.blocks, causal=True)
        self.norm = nn.LayerNorm(config.width)
        self.bins = config.fft_samples // 2 + 1
        self.head = Linear(config.width, 3 * self.bins)
        # Frames whose windows reach into a frame.  Each of them depends on the field of the network, of which the first
        # frame wants its whole column, and on the pitch of the frame before.
        self.frames_after = self.overlap // 2
        self.frames_before = self.frames_after + max(self.stack.context + side - 1, 1)

    def forward(
        self,
        mel: Tensor,
        pitch_hz: Tensor,
        voicing: Tensor,
        phase: Tensor,
        numbers: Tensor,
        inside: Tensor | None = None,
    ) -> Tensor:
        """mel (batch, frame, band); pitch, voicing, phase and absolute number of each frame (batch, frame)
        -> audio (batch, frame * hop)."""
        total = self.added_up(mel, pitch_hz, voicing, phase, numbers, inside)
        audio = audio_of(total, self.overlap)
        return audio[:, self.margin : self.margin + mel.shape[1] * self.hop_samples]

    def added_up(
        self,
        mel: Tensor,
        pitch_hz: Tensor,
        voicing: Tensor,
        phase: Tensor,
        numbers: Tensor,
        inside: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """The same, not yet audio: (batch, frame + overlap - 1, hop), from `margin` samples before the first."""
        standard = ((mel - self.mean) / self.deviation).unflatten(1, (-1, self.side)).flatten(2)
        x = self.column(standard).unflatten(2, (self.side, -1)).flatten(1, 2)
        height = (pitch_hz.clamp(min=1.0) / 150.0).log2()
        x = x + self.source(torch.stack([height, voicing * 2 - 1], -1).to(x.dtype))
        x = self.norm(self.stack(x, memory=memory))
        glide_hz = glides(pitch_hz, surrounded(self, pitch_hz, 1, 0, memory)[:, :-1])
        strength = gate(voicing).unsqueeze(-1)
        total = self.window.new_zeros(len(x), x.shape[1] + self.overlap - 1, self.hop_samples)
        for first in range(0, x.shape[1], SPECTRA_AT_ONCE):
            here = slice(first, first + SPECTRA_AT_ONCE)
            pulses = strength[:, here] * local_pulses(
                pitch_hz[:, here], glide_hz[:, here], phase[:, here], self.rate_hz, self.hop_samples,
                self.fft_samples,
            )  # fmt: skip
            voice = torch.fft.rfft(pulses * self.window)
            noise = loop_spectra(self.noise, numbers[:, here], self.hop_samples, self.window)
            part = shaped(self.head(x[:, here]).float(), voice, noise, self.window)
            overlap_add(total[:, first:], masked(part, None if inside is None else inside[:, here]))
        return total
