"""Sound from shaped short-time spectra: the last step of vocoders at the frame rate.

A frame's spectrum is as long as an even number of hops and centred on its own hop.  All windows are Hann, applied
before and after shaping.
"""

from __future__ import annotations

import torch
from torch import Tensor

SPECTRA_AT_ONCE = 128  # more would only take more memory


def framed(signal: Tensor, fft_samples: int, hop_samples: int) -> Tensor:
    """(batch, frame * hop) -> (batch, frame, fft), with zeros beyond both ends."""
    margin = (fft_samples - hop_samples) // 2
    return torch.nn.functional.pad(signal, (margin, margin)).unfold(1, fft_samples, hop_samples)


def shaped(gains: Tensor, pulses: Tensor, noise: Tensor, window: Tensor) -> Tensor:
    """Gains (batch, frame, 3 * bin), of pulses, of their phase, and of noise, and both excitations (batch, frame, fft)
    -> (batch, frame, fft), ready to be added up.  Bins above those given stay silent."""
    pulse_gain, turn, noise_gain = gains.chunk(3, dim=-1)
    bins = turn.shape[-1]
    voice, breath = (torch.fft.rfft(x * window)[..., :bins] for x in (pulses, noise))
    voice = voice * torch.polar(pulse_gain.clamp(max=8).exp(), turn)
    breath = breath * noise_gain.clamp(max=8).exp()
    return torch.fft.irfft(voice + breath, n=len(window)) * window


class OverlapAdd:
    """Adds up the frames of a stretch, which may come in parts."""

    def __init__(self, like: Tensor, batch: int, frames: int, fft_samples: int, hop_samples: int) -> None:
        """like: a tensor of the dtype and device of the sum."""
        self.frames, self.fft_samples, self.hop_samples = frames, fft_samples, hop_samples
        self.overlap = fft_samples // hop_samples
        self.total = like.new_zeros(batch, frames + self.overlap - 1, hop_samples)

    def add(self, first: int, parts: Tensor) -> None:
        """parts (batch, frame, fft), from frame `first` on."""
        total = self.total[:, first:]
        for hops, part in enumerate(parts.unflatten(2, (-1, self.hop_samples)).unbind(2)):
            total[:, hops : hops + part.shape[1]] += part

    def audio(self) -> Tensor:
        """(batch, frame * hop)."""
        margin = (self.fft_samples - self.hop_samples) // 2
        # Squared Hann windows at a quarter of their length add up to 3/8 of the overlap.
        audio = self.total.flatten(1) / (0.375 * self.overlap)
        return audio[:, margin : margin + self.frames * self.hop_samples]
