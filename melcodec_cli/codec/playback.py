"""Turns one stream's decoded chunks into exactly the samples wanted from it, at the output's rate."""

from __future__ import annotations

from collections.abc import Iterator

import mlcfile
import numpy as np
from numpy.typing import NDArray

from melcodec_cli.audio import Resampler, resampled_length

# The resampler gets this much more at either end of a range, several times the length of its filter.
MARGIN_S = 1

Audio = NDArray[np.float32]


class Playback:
    """The range [first, last) in samples of the output, counted from the stream's start; last None: to its end.

    It needs only the chunks first_chunk..last_chunk, in order. A range equals the same samples of the whole, because
    resampling begins at a whole second, which is a whole sample at every rate.
    """

    def __init__(self, header: mlcfile.Header, rate_hz: int, first: int, last: int | None):
        layout = header.layout
        self.header = header
        self.rate_hz = rate_hz
        self.samples: int | None = None  # of the output, for the whole stream; None: not known yet
        self.pending_jobs = 0
        self.ended = False  # no more jobs will follow
        self._first = max(0, first)
        self._last = last
        chunk_samples = layout.chunk_frames * layout.frame_samples
        start_s = max(0, self._first // rate_hz - MARGIN_S)
        # Samples of the first chunk, at the model's rate.
        self._skip = start_s * layout.model_rate_hz % chunk_samples
        self._position = start_s * rate_hz  # of the resampler's next sample
        self.first_chunk = start_s * layout.model_rate_hz // chunk_samples
        self.last_chunk: int | None = None
        if last is not None:
            self.last_chunk = (max(0, last) // rate_hz + 1 + MARGIN_S) * layout.model_rate_hz // chunk_samples
        # Made only when there is something to resample: a file may hold thousands of empty streams.
        self._resampler: Resampler | None = None
        if header.samples is not None:
            self.set_samples(header.samples)

    @property
    def is_wanted(self) -> bool:
        """True if part of the stream lies in the range, as far as is known."""
        return (self._last is None or self._last > 0) and (self.samples is None or self._first < self.samples)

    def set_samples(self, samples: int) -> None:
        """Sets the stream's true length, at the original's rate."""
        self.samples = resampled_length(samples, self.header.rate_hz, self.rate_hz)
        self._last = self.samples if self._last is None else min(self._last, self.samples)

    def set_frames(self, frames: int) -> None:
        """Ends the stream after so many frames, where it broke off."""
        layout = self.header.layout
        there = resampled_length(frames * layout.frame_samples, layout.model_rate_hz, self.rate_hz)
        self.samples = there if self.samples is None else min(self.samples, there)
        self._last = self.samples if self._last is None else min(self._last, self.samples)

    def process(self, audio: Audio) -> Iterator[Audio]:
        """Takes a chunk (coded channel, sample) at the model's rate and yields what is ready, (sample, coded channel).

        It works on one second at a time: at 384 kHz in eight channels, a chunk of a minute would take a gigabyte.
        """
        block = audio.T[self._skip :]
        self._skip = max(0, self._skip - audio.shape[1])
        step = self.header.layout.model_rate_hz
        if self._resampler is None:
            self._resampler = Resampler(step, self.rate_hz, self.header.coded_channels)
        for start in range(0, len(block), step):
            yield self._cut(self._resampler.process(block[start : start + step]))

    def flush(self) -> Audio:
        """Returns the rest, up to the exact length."""
        if self._resampler is None:
            rest = self._cut(np.zeros((0, self.header.coded_channels), np.float32))
        else:
            rest = self._cut(self._resampler.flush())
        missing = 0 if self._last is None else self._last - max(self._position, self._first)
        return np.pad(rest, ((0, max(0, missing)), (0, 0)))

    def _cut(self, block: Audio) -> Audio:
        begin = self._position
        self._position += len(block)
        end = len(block) if self._last is None else self._last - begin
        return block[max(0, self._first - begin) : max(0, end)]
