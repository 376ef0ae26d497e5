"""The third decoder: latents to the pitch, and to filters for pulses at this pitch and for noise.

Its audio is in tune and steady from the start of training, where the other decoders have to learn first how the phases
of one frame lead to those of the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.pitch import likeliest_hz
from melcodec_cli.layers.spectra import LOUDEST
from melcodec_cli.systems.phoenix.bins import BinsNet
from melcodec_cli.systems.phoenix.config import Profile
from melcodec_cli.systems.phoenix.excitation import Excitation
from melcodec_cli.systems.phoenix.stretches import StretchAdder, second_window
from melcodec_cli.systems.span import Span

USUAL = -7.0  # logarithm of a gain that the network starts from: quiet speech
MIDDLE_HZ = 150.0


class HarmonicDecoder(nn.Module):
    def __init__(self, profile: Profile, width: int) -> None:
        super().__init__()
        self.scale = profile.pitch
        channels = profile.harmonic.first_channels
        self.net = BinsNet(profile.harmonic, width, (USUAL, 0.0, USUAL))
        self.norm = nn.LayerNorm(channels)
        self.listen = nn.Linear(channels, profile.pitch.bins + 1)
        self.tell = nn.Linear(2, channels)
        self.excitation = Excitation(profile)
        window = second_window(profile.window_samples, profile.hop_samples)
        self.adder = StretchAdder(profile.window_samples, profile.hop_samples, window)
        self.ahead_samples = self.delay_samples = self.adder.overlap_samples

    def forward(
        self, latents: Tensor, memory: Memory | None = None, spans: Sequence[Span] | None = None
    ) -> Tensor:
        """(batch, frame, width) -> (batch, frames * hop_samples).

        spans: where the rows lie in their streams, so that each chunk sounds the same alone.
        """
        return self.adder(self.spectra(latents, memory, spans), memory)

    def spectra(
        self, latents: Tensor, memory: Memory | None = None, spans: Sequence[Span] | None = None
    ) -> Tensor:
        """(batch, frame, width) -> (frame, batch, bin): of each frame's stretch of audio, relative to its length."""
        x, logits, voicing = self.heard(latents, memory)
        return self.shaped(x, likeliest_hz(logits, self.scale), voicing.sigmoid(), memory, spans)

    def heard(self, latents: Tensor, memory: Memory | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Frames as the network begins with them, logits of pitch (batch, frame, bin) and of voicing
        (batch, frame)."""
        x = self.net.begin(latents, memory)
        scores = self.listen(self.norm(x.squeeze(2))).float().transpose(0, 1)
        return x, scores[..., :-1], scores[..., -1]

    def shaped(
        self,
        x: Tensor,
        pitch_hz: Tensor,
        voicing: Tensor,
        memory: Memory | None = None,
        spans: Sequence[Span] | None = None,
    ) -> Tensor:
        """pitch_hz, voicing (batch, frame)."""
        height = (pitch_hz / MIDDLE_HZ).log2()
        told = torch.stack([height, 2 * voicing - 1], -1).transpose(0, 1)
        gains = self.net.finish(x + self.tell(told.to(x.dtype)).unsqueeze(2), memory)
        pulse_gain, turn, noise_gain = gains.unbind(-1)  # (frame, batch, bin)
        pulses, noise = self.excitation(pitch_hz, voicing, memory, spans)
        voice = pulses * torch.polar(pulse_gain.clamp(max=LOUDEST).exp(), turn)
        return voice + noise * noise_gain.clamp(max=LOUDEST).exp()
