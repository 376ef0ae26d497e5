"""Plays the frames of a live stream, and something in place of those that are lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.systems.system import ABSENT, Audio, Session, Shape

FADE_S = 0.060  # a vowel may go on for so long; after that, repeating it would buzz

INAUDIBLE = 1e-6  # of a gain: what rounding leaves of 0


class Concealment:
    """Repeats the last frame with a falling gain for 60 ms, and then is silent until a frame comes.

    It repeats indices, not sound, so the decoder joins what it knows to what it guesses without a click.
    """

    def __init__(self, session: Session, shape: Shape, latency_samples: int) -> None:
        self._session, self._shape = session, shape
        self._fall = shape.frame_samples / (FADE_S * shape.rate_hz)  # of the gain in a frame
        self._fading_frames = -(-latency_samples // shape.frame_samples)  # until a frame has left the decoder
        self._last: NDArray[np.int64] | None = None  # indices (1, row)
        self._gain = 0.0  # reached at the end of the frames so far
        self._gains = np.zeros(0, np.float32)  # of the samples that the decoder holds back
        self._silent_frames = 0  # so far in a row

    def play(self, indices: NDArray[np.int64]) -> Audio:
        """(frame, row) -> (sample,)."""
        heard = []
        for frame in np.asarray(indices, np.int64)[:, None]:
            if frame.max() >= self._shape.codewords:
                heard.append(self.lose(1))
                continue
            heard.append(self._pushed(frame, 1.0))
            self._last, self._silent_frames = frame, 0
        return np.concatenate(heard) if heard else np.zeros(0, np.float32)

    def lose(self, frames: int) -> Audio:
        heard = []
        while frames and self._silent_frames < self._fading_frames:
            fading = self._last is not None and self._gain > 0
            frame = self._last if fading else np.full((1, self._shape.rows), ABSENT)
            assert frame is not None
            gain = self._gain - self._fall if fading else 0.0
            heard.append(self._pushed(frame, gain if gain > INAUDIBLE else 0.0))
            self._silent_frames += not fading
            frames -= 1
        # Nothing is left in the decoder: it need not know how long the silence is.
        heard.append(np.zeros(frames * self._shape.frame_samples, np.float32))
        return np.concatenate(heard)

    def finish(self) -> Audio:
        """What the decoder still holds back."""
        return self._with_gain(self._session.flush())

    def _pushed(self, frame: NDArray[np.int64], gain: float) -> Audio:
        if self._last is None and gain:
            self._gain = gain  # the stream need not fade in
        ramp = np.linspace(self._gain, gain, self._shape.frame_samples + 1, dtype=np.float32)[1:]
        self._gain, self._gains = gain, np.concatenate([self._gains, ramp])
        return self._with_gain(self._session.push(frame))

    def _with_gain(self, audio: Audio) -> Audio:
        gains, self._gains = self._gains[: len(audio)], self._gains[len(audio) :]
        return audio * gains
