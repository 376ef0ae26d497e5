"""From 16 kHz to the output's rate: zeros between the samples, a Butterworth low-pass, and fewer samples again.

The filter is computed as its impulse response, which is over after 160 samples of 48 kHz to the last bit of a float.
So it depends on no more of the past, and its result not on where it began.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory, surrounded
from melcodec_cli.systems.phoenix.config import CORE_HZ, HIGH_HZ

UP = 3  # zeros are inserted up to this many times the rate
ORDER = 11
TAPS = 160


def impulse_response() -> NDArray[np.float64]:
    """A Butterworth low-pass of 8 kHz at 48 kHz, by the bilinear transform: (TAPS,)."""
    poles = math.tan(math.pi * HIGH_HZ / (UP * CORE_HZ)) * np.exp(
        1j * math.pi * (2 * np.arange(ORDER) + ORDER + 1) / (2 * ORDER)
    )
    poles = (1 + poles) / (1 - poles)
    delay = np.exp(-2j * math.pi * np.fft.rfftfreq(8 * TAPS))
    factors = (1 - poles[:, None]) / 2 * (1 + delay) / (1 - poles[:, None] * delay)
    return np.fft.irfft(factors.prod(0))[:TAPS]


def group_delay(response: NDArray[np.float64]) -> NDArray[np.float64]:
    """Delay in samples of each frequency that passes, from 0 to 8 kHz."""
    spectrum = np.fft.rfft(response, 8 * TAPS)
    delay = (np.fft.rfft(response * np.arange(TAPS), 8 * TAPS) / spectrum).real
    return delay[: 8 * TAPS * HIGH_HZ // (UP * CORE_HZ)]


class Interpolation(nn.Module):
    """(batch, sample) of 16 kHz -> 24 or 48 kHz.  `down` samples become `UP`.

    The delay of low frequencies is taken back, so that the output is in time with the input; it costs look-ahead.
    """

    taps: Tensor

    def __init__(self, rate_hz: int) -> None:
        super().__init__()
        self.down = UP * CORE_HZ // rate_hz
        response = impulse_response()
        delays = group_delay(response) / self.down
        self.early = round(delays[1])  # samples that the output is shifted
        # The look-ahead in samples of the output, and what high frequencies come later than low ones.
        self.delay_samples = math.ceil(delays.max())
        # Output k of a group is at place down * (k + early) of 48 kHz, and input i at place 3 * i.
        places = self.down * (np.arange(UP) + self.early)
        self.ahead = int(places[-1]) // UP - self.down + 1
        self.before = (TAPS - 1) // UP
        inputs = np.arange(-self.before, self.down + self.ahead)
        steps = places[:, None] - UP * inputs
        taps = np.where((steps >= 0) & (steps < TAPS), response[steps.clip(0, TAPS - 1)], 0.0)
        self.register_buffer("taps", torch.from_numpy(UP * taps.astype(np.float32)), persistent=False)

    @property
    def ahead_samples(self) -> int:
        """The latest input, in samples of the output, that an output depends on."""
        return self.early

    def forward(self, audio: Tensor, memory: Memory | None = None) -> Tensor:
        audio = surrounded(self, audio, self.before, self.ahead, memory, self.down)
        if audio.shape[1] == 0:
            return audio
        groups = nn.functional.conv1d(audio.unsqueeze(1), self.taps.unsqueeze(1), stride=self.down)
        return groups.transpose(1, 2).flatten(1)
