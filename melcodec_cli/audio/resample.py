"""Between sampling rates and between channel counts, block by block."""

import numpy as np

from melcodec_cli.audio.pcm import Samples


def resampled_length(samples: int, rate_in_hz: int, rate_out_hz: int) -> int:
    """Rounded up, so that the output covers all of the input and one sample never becomes none."""
    return -(-samples * rate_out_hz // rate_in_hz)


class Resampler:
    """soxr's high quality, the same for every way to cut the input into blocks; equal rates pass untouched.

    From n samples it makes `resampled_length(n)`. Output lags input by some 40 to 120 ms of filter.
    """

    def __init__(self, rate_in_hz: int, rate_out_hz: int, channels: int):
        self.rate_in_hz = rate_in_hz
        self.rate_out_hz = rate_out_hz
        self.channels = channels
        self._taken = 0
        self._given = 0
        self._stream = None
        if rate_in_hz != rate_out_hz:
            import soxr

            self._stream = soxr.ResampleStream(
                rate_in_hz, rate_out_hz, channels, dtype="float32", quality="HQ"
            )

    def process(self, block: Samples) -> Samples:
        """(frame, channel) in, whatever is ready out."""
        if self._stream is None:
            return block
        self._taken += len(block)
        ready = self._stream.resample_chunk(np.ascontiguousarray(block, np.float32))
        self._given += len(ready)
        return ready

    def flush(self) -> Samples:
        """The rest, after the last block."""
        if self._stream is None:
            return np.zeros((0, self.channels), np.float32)
        # soxr rounds the length to nearest; a little silence behind the end gets it up to the one we promise.
        silence = np.zeros((self.rate_in_hz // self.rate_out_hz + 1, self.channels), np.float32)
        rest = self._stream.resample_chunk(silence if self._taken else silence[:0], last=True)
        return rest[: resampled_length(self._taken, self.rate_in_hz, self.rate_out_hz) - self._given]


def mix_down(block: Samples) -> Samples:
    """(frame, channel) to (frame, 1): the mean, which cannot clip if no channel did."""
    return block if block.shape[1] == 1 else block.mean(axis=1, keepdims=True, dtype=np.float32)
