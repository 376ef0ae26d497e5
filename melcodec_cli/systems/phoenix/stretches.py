"""Spectra to stretches of audio, each of which ends with its frame, added up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory


class StretchAdder(nn.Module):
    """Audio is complete when the last stretch over it has come: `overlap_samples` after its own frame."""

    window: Tensor

    def __init__(self, fft_samples: int, hop_samples: int, window: Tensor) -> None:
        """window: what of the end of a stretch is kept, and how loud."""
        super().__init__()
        self.fft_samples, self.hop_samples = fft_samples, hop_samples
        self.overlap_samples = len(window) - hop_samples
        self.register_buffer("window", window, persistent=False)

    def forward(self, spectrum: Tensor, memory: Memory | None = None) -> Tensor:
        """Spectra relative to their length, so that a magnitude means the same at every rate, (frame, batch, bin) ->
        audio (batch, frames * hop_samples); the end lacks what later frames would add."""
        spectrum = nn.functional.pad(spectrum, (0, 1 + self.fft_samples // 2 - spectrum.shape[2]))
        stretches = torch.fft.irfft(spectrum, self.fft_samples) * self.fft_samples
        return self._added_up(stretches[..., -len(self.window) :] * self.window, memory)

    def _added_up(self, stretches: Tensor, memory: Memory | None) -> Tensor:
        """(frame, batch, sample) -> audio, without what lies before the first frame."""
        frames, batch, length = stretches.shape
        hop, overlap = self.hop_samples, self.overlap_samples
        total = (
            nn.functional.fold(
                stretches.permute(1, 2, 0), (1, overlap + frames * hop), (1, length), stride=(1, hop)
            ).flatten(1)
            if frames
            else stretches.new_zeros(batch, overlap)
        )
        if memory is None:
            return total[:, overlap:]
        surplus, tail = memory.held.get(self, (overlap, None))
        if tail is not None:
            total = torch.cat([total[:, :overlap] + tail, total[:, overlap:]], 1)
        ready = total[:, : frames * hop]
        memory.held[self] = max(0, surplus - frames * hop), total[:, frames * hop :]
        return ready[:, surplus:]


def added_window(samples: int, hop_samples: int) -> Tensor:
    """A Hann window, corrected so that windows at each hop add up to 1."""
    return _corrected(torch.hann_window(samples, device="cpu", dtype=torch.float64), hop_samples)


def second_window(samples: int, hop_samples: int) -> Tensor:
    """The same for stretches that have been in a Hann window once, before they were shaped."""
    window = torch.hann_window(samples, device="cpu", dtype=torch.float64)
    return torch.where(
        window > 0, _corrected(window.square(), hop_samples) / window.clamp(min=1e-9), 0
    ).float()


def _corrected(window: Tensor, hop_samples: int) -> Tensor:
    padded = nn.functional.pad(window, (0, -len(window) % hop_samples))
    total = padded.view(-1, hop_samples).sum(0)
    return (window / total.repeat(len(padded) // hop_samples)[: len(window)]).float()
