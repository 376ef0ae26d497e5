"""Cuts endless signals into jobs: a stretch to code, and the context on either side that it depends on.

    audio    [ chunk 0          | context ]...
             ...[ context | chunk 1          | context ]...
                              ...[ context | the last chunk ]

A job leaves as soon as its look-ahead has arrived, so files and live pipes are treated the same. The context is shorter
where the stream begins or ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Reach


@dataclass(frozen=True)
class EncodeJob:
    """One chunk: audio (channel, samples of the span's frames) in float32."""

    audio: NDArray[np.float32]
    span: Span
    sent: int | None = None  # how many indices of each frame are sent; None: all

    @property
    def frames(self) -> int:
        return self.span.kept


@dataclass(frozen=True)
class DecodeJob:
    """One chunk: indices (channel, frames of the span, row), globals_ (channel, the same, count), both int64."""

    indices: NDArray[np.int64]
    globals_: NDArray[np.int64]
    span: Span

    @property
    def frames(self) -> int:
        return self.span.kept


class AudioSegments:
    """Turns samples at the model's rate into jobs of whole chunks; only the last chunk may be shorter."""

    def __init__(
        self, channels: int, chunk_frames: int, frame_samples: int, reach: Reach, sent: int | None = None
    ):
        """sent: how many indices of each frame are sent; None: all."""
        self._chunk_frames = chunk_frames
        self._frame_samples = frame_samples
        self._reach = reach
        self._sent = sent
        self._sent_frames = 0
        self._before_frames = 0  # already sent, but their audio is kept as context
        self._pieces = [np.zeros((channels, 0), np.float32)]
        self._held_samples = 0

    def push(self, audio: NDArray[np.float32]) -> Iterator[EncodeJob]:
        """Take audio (channel, sample) of any length, and yield the jobs that are ready."""
        self._pieces.append(audio)
        self._held_samples += audio.shape[1]
        while True:
            span = Span(self._before_frames, self._chunk_frames, self._reach.after, self._sent_frames)
            if self._held_samples < span.total * self._frame_samples:
                return
            yield self._cut(span)

    def finish(self, frames: int) -> Iterator[EncodeJob]:
        """Yield the remaining chunks of a stream of `frames` in all, the last one padded with zeros."""
        end = (self._before_frames + frames - self._sent_frames) * self._frame_samples
        held = np.concatenate(self._pieces, axis=1)[:, :end]
        self._pieces = [np.pad(held, ((0, 0), (0, end - held.shape[1])))]
        while self._sent_frames < frames:
            left = frames - self._sent_frames
            chunk = min(self._chunk_frames, left)
            after = min(self._reach.after, left - chunk)
            yield self._cut(Span(self._before_frames, chunk, after, self._sent_frames))

    def _cut(self, span: Span) -> EncodeJob:
        held = np.concatenate(self._pieces, axis=1)
        job = EncodeJob(held[:, : span.total * self._frame_samples], span, self._sent)
        self._sent_frames += span.kept
        self._before_frames = min(self._reach.before, self._sent_frames)
        past_samples = (span.before + span.kept - self._before_frames) * self._frame_samples
        self._pieces = [held[:, past_samples:].copy()]  # a view would keep the whole buffer alive
        self._held_samples = held.shape[1] - past_samples
        return job


class IndexSegments:
    """Adds context to chunks of indices."""

    def __init__(
        self,
        channels: int,
        rows: int,
        globals_count: int,
        chunk_frames: int,
        reach: Reach,
        first_frame: int,
    ):
        """The first job begins at `first_frame`, where a chunk begins; the first push at `first_needed_frame`."""
        self._chunk_frames = chunk_frames
        self._reach = reach
        self._next_frame = first_frame
        self.first_needed_frame = max(0, first_frame - reach.before)
        self._indices = np.zeros((channels, 0, rows), np.int64)
        self._globals = np.zeros((channels, 0, globals_count), np.int64)

    def push(
        self, indices: NDArray[np.integer[Any]], globals_: NDArray[np.integer[Any]]
    ) -> Iterator[DecodeJob]:
        """Take indices (channel, frame, row) and the globals_ (channel, count) of their chunk; yield the jobs ready."""
        spread = np.broadcast_to(globals_[:, None], (*indices.shape[:2], globals_.shape[1]))
        self._indices = np.concatenate([self._indices, indices], axis=1, dtype=np.int64)
        self._globals = np.concatenate([self._globals, spread], axis=1, dtype=np.int64)
        while self._unsent_frames >= self._chunk_frames + self._reach.after:
            yield self._cut(self._chunk_frames)

    def finish(self) -> Iterator[DecodeJob]:
        """Yield the remaining chunks, whose look-ahead the end cuts short."""
        while self._unsent_frames > 0:
            yield self._cut(min(self._chunk_frames, self._unsent_frames))

    @property
    def _before_frames(self) -> int:
        """Frames kept as context: already sent, or before the first job."""
        return min(self._reach.before, self._next_frame)

    @property
    def _unsent_frames(self) -> int:
        return self._indices.shape[1] - self._before_frames

    def _cut(self, frames: int) -> DecodeJob:
        before = self._before_frames
        after = min(self._reach.after, self._unsent_frames - frames)
        span = Span(before, frames, after, self._next_frame)
        indices, globals_ = self._indices[:, : span.total], self._globals[:, : span.total]
        job = DecodeJob(indices, globals_, span)
        self._next_frame += frames
        past = before + frames - self._before_frames
        self._indices, self._globals = self._indices[:, past:], self._globals[:, past:]
        return job
