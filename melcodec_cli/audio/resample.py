"""Between sampling rates, block by block."""

import numpy as np

from melcodec_cli.audio.pcm import Samples

# libsoxr's SOXR_STEEP_FILTER, for which its Python wrapper has no name: flat up to 98 % of the lower rate's half, where
# it is 91 % without.  On the way from 16 kHz to a model of 48 and back, speech would lose 10 dB from 7.6 kHz up.
STEEP = 0x40
STEEP_FROM_HZ = 16000  # at lower rates it takes its time, up to 1.2 s, and telephones have nothing there


def resampled_length(samples: int, rate_in_hz: int, rate_out_hz: int) -> int:
    """Rounded up, so that the output covers all of the input and one sample never becomes none."""
    return -(-samples * rate_out_hz // rate_in_hz)


def resampled(samples: Samples, rate_in_hz: float, rate_out_hz: float) -> Samples:
    """(frame, channel), the whole at once: as many frames as is nearest, from rates that need not be whole."""
    return _Stream(rate_in_hz, rate_out_hz, samples.shape[1]).process(samples, last=True)


class Resampler:
    """soxr's high quality, the same for every way to cut the input into blocks; equal rates pass untouched.

    From n samples it makes `resampled_length(n)`. Output lags input by some 70 to 340 ms of filter.
    """

    def __init__(self, rate_in_hz: int, rate_out_hz: int, channels: int):
        self.rate_in_hz = rate_in_hz
        self.rate_out_hz = rate_out_hz
        self.channels = channels
        self._taken = 0
        self._given = 0
        self._stream = _Stream(rate_in_hz, rate_out_hz, channels) if rate_in_hz != rate_out_hz else None

    def process(self, block: Samples) -> Samples:
        """(frame, channel) in, whatever is ready out."""
        if self._stream is None:
            return block
        self._taken += len(block)
        ready = self._stream.process(block)
        self._given += len(ready)
        return ready

    def flush(self) -> Samples:
        """The rest, after the last block."""
        if self._stream is None:
            return np.zeros((0, self.channels), np.float32)
        # soxr rounds the length to nearest; a little silence behind the end gets it up to the one we promise.
        silence = np.zeros((self.rate_in_hz // self.rate_out_hz + 1, self.channels), np.float32)
        rest = self._stream.process(silence if self._taken else silence[:0], last=True)
        return rest[: resampled_length(self._taken, self.rate_in_hz, self.rate_out_hz) - self._given]


class _Stream:
    def __init__(self, rate_in_hz: float, rate_out_hz: float, channels: int):
        from soxr import HQ, soxr_ext

        quality = HQ | STEEP if min(rate_in_hz, rate_out_hz) >= STEEP_FROM_HZ else HQ
        kind = soxr_ext.SOXR_FLOAT32_I
        self._stream = soxr_ext.CSoxr(rate_in_hz, rate_out_hz, channels, kind, quality, False)

    def process(self, block: Samples, last: bool = False) -> Samples:
        ready: Samples = self._stream.process_float32(np.ascontiguousarray(block, np.float32), last)
        return ready
