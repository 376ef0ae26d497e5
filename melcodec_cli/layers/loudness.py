"""What a listener would notice between two recordings, after the model of hearing in ITU-T P.862, simplified.

Spectra become loudness in bands as wide as the ear's; what was added disturbs more than what is missing, and what the
original masks does not disturb.  Both recordings must begin at the same moment and be equally loud.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

WINDOW_MS = 32  # of a spectrum
BANDS = 49  # evenly spaced in Bark, up to half the rate
SPEECH_DB = 79.0  # sound pressure at which the original is heard
EXPONENT = 0.23  # from power above the threshold to loudness
MASKED = 0.25  # share of a band's loudness that a difference must exceed
QUIETEST = 1e-7  # power of the original, relative to full scale, that is still brought to this level
ADDED = (50.0, 1.2, 3.0, 12.0)  # of the asymmetry: offset, exponent, below what it counts as 0, and its limit
WEIGHTS = (0.1, 0.0309)  # of both disturbances, as in the standard
PAUSE = (
    0.01,
    -0.04,
)  # a frame weighs its power relative to speech, plus the first, to the power of the second
WORST = 3.0  # norm over time: the worst frames count most
FAINTEST = 1e-6


class Loudness(nn.Module):
    """How disturbed speech at `rate_hz` is, about in points of the standard's scale."""

    window: Tensor
    filters: Tensor  # (bin, band), whether a bin is in a band
    threshold: Tensor  # power in each band that is just heard

    def __init__(self, rate_hz: int, hop_samples: int | None = None) -> None:
        super().__init__()
        samples = WINDOW_MS * rate_hz // 1000
        self.hop_samples = hop_samples or samples // 2
        with torch.device("cpu"):  # even if a model without weights is being made
            hz = torch.linspace(0, rate_hz / 2, samples // 2 + 1)
            bark = 7 * torch.asinh(hz / 650)
            place = (bark / bark[-1] * BANDS).long().clamp(max=BANDS - 1)
            filters = nn.functional.one_hot(place, BANDS).float()
            filters = filters[:, filters.sum(0) > 0]  # low bands are narrower than a bin
            khz = ((filters * hz[:, None]).sum(0) / filters.sum(0)).clamp(min=50) / 1000
            quiet_db = 3.64 * khz**-0.8 - 6.5 * torch.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
            constants = {
                "window": torch.hann_window(samples),
                "filters": filters,
                "threshold": 10 ** (quiet_db / 10),
            }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """(batch, sample) -> the mean disturbance."""
        gain = self.gain(real)
        total = made.new_zeros(())
        for frame in self.disturbances(self.bands(gain * made), self.bands(gain * real)):
            total = total + ((frame + FAINTEST) ** WORST).mean(1).pow(1 / WORST).mean()
        return total

    def gain(self, real: Tensor) -> Tensor:
        """(batch, sample) -> (batch, 1): what brings a recording to the level at which speech is heard."""
        power = real.square().mean(1, keepdim=True).clamp(min=QUIETEST)
        return (10 ** (SPEECH_DB / 10) / power).sqrt()

    def bands(self, audio: Tensor) -> Tensor:
        """(batch, hops * hop_samples) -> power (batch, hops, band); 1 is a sound pressure of 0 dB."""
        overlap = len(self.window) - self.hop_samples
        padded = pad(audio.float(), (overlap // 2, overlap - overlap // 2))
        spectrum = torch.stft(
            padded, len(self.window), self.hop_samples, window=self.window, center=False, return_complex=True
        )
        power = torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2)
        return power @ self.filters / self.window.sum() ** 2 * 2

    def disturbances(self, made: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Powers (batch, frame, band) -> how much each frame is disturbed, and by what was added: (batch, frame)."""
        made_loudness, real_loudness = self._loudness(made), self._loudness(real)
        difference = made_loudness - real_loudness
        masked = MASKED * torch.minimum(made_loudness, real_loudness)
        disturbance = (difference.abs() - masked).clamp(min=0)
        offset, exponent, least, most = ADDED
        added = ((made + offset) / (real + offset)) ** exponent
        added = torch.where(added < least, torch.zeros_like(added), added.clamp(max=most))
        softest, power = PAUSE
        weight = (real.sum(-1) / 10 ** (SPEECH_DB / 10) + softest) ** power
        # Loud bands of a frame count more in the first, all alike in the second.
        both = disturbance.norm(dim=-1) / len(self.threshold) ** 0.5, (disturbance * added).mean(-1)
        return WEIGHTS[0] * weight * both[0], WEIGHTS[1] * weight * both[1]

    def _loudness(self, power: Tensor) -> Tensor:
        scale = (self.threshold / 0.5) ** EXPONENT
        return (scale * ((0.5 + 0.5 * power / self.threshold) ** EXPONENT - 1)).clamp(min=0)
