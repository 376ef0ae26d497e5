"""What the harmonic decoder shapes: spectra of pulses at the pitch, and of noise, for each frame's stretch of audio.

Like all of phoenix they are the same at every rate: a tone has the same magnitude, and bins have the same frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from melcodec_cli.layers.frame_pulses import chunk_phase, cycles_per_frame, gate, glides, local_pulses
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.spectra import MEAN_MAGNITUDE
from melcodec_cli.systems.phoenix.config import CORE_HZ, Profile
from melcodec_cli.systems.span import Span

NOISE_FRAMES = 417  # in a loop: 5 s


class Excitation(nn.Module):
    window: Tensor
    noise: Tensor

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.bins, self.rate_hz, self.hop_samples = profile.bins, profile.rate_hz, profile.hop_samples
        window = torch.hann_window(profile.window_samples, device="cpu")
        self.register_buffer("window", window, persistent=False)
        # The phases of a loop of noise: its magnitudes are even, so that a network gets what it asks for.
        self.register_buffer("noise", torch.zeros(NOISE_FRAMES, profile.bins))
        # Noise and pulses have unit power at CORE_HZ, whatever the rate.
        samples = profile.window_ms * CORE_HZ // 1000
        power = torch.hann_window(samples, device="cpu").square().sum()
        self.noise_magnitude = MEAN_MAGNITUDE * power.sqrt().item() / samples
        self.pulse_magnitude = (profile.rate_hz / CORE_HZ) ** 0.5 / profile.window_samples

    def forward(
        self,
        pitch_hz: Tensor,
        voicing: Tensor,
        memory: Memory | None = None,
        spans: Sequence[Span] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pitch and voicing (batch, frame) -> spectra of pulses and of noise, relative to their length,
        (frame, batch, bin) each.

        spans: where the rows lie in their streams, so that each chunk sounds the same alone.
        """
        cycles = cycles_per_frame(pitch_hz, self.rate_hz, self.hop_samples)
        turned, number, last_hz = cycles.new_zeros(len(cycles), 1), 0, pitch_hz.new_zeros(len(cycles), 1)
        if memory is not None:
            turned, number, last_hz = memory.held.get(self, (turned, number, last_hz))
        numbers = number + torch.arange(cycles.shape[1], device=cycles.device).unsqueeze(0)
        if spans is None:
            phase = turned + torch.cumsum(cycles, 1) - cycles / 2
        else:
            phase = chunk_phase(cycles, spans)
            begin = [span.first - span.before for span in spans]
            numbers = numbers + torch.tensor(begin, device=cycles.device).unsqueeze(1)
        before_hz = torch.cat([last_hz, pitch_hz], 1)
        if memory is not None:
            turned = turned + cycles.sum(1, keepdim=True)
            memory.held[self] = turned, number + cycles.shape[1], before_hz[:, -1:]
        pulses = local_pulses(
            pitch_hz,
            glides(pitch_hz, before_hz[:, :-1]),
            phase,
            self.rate_hz,
            self.hop_samples,
            len(self.window),
        )
        voice = torch.fft.rfft(pulses * self.window)[..., : self.bins]
        voice = voice * (self.pulse_magnitude * gate(voicing).unsqueeze(-1))
        angle = self.noise[numbers % len(self.noise)].float()
        noise = torch.polar(torch.full_like(angle, self.noise_magnitude), angle)
        return voice.transpose(0, 1), noise.transpose(0, 1)
