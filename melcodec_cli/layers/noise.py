"""Counter-based noise: a frame's numbers depend only on its place in the stream, not on what else is decoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REFINER_KEY = 1
VOCODER_KEY = 2
WORDS_PER_BLOCK = 4  # Philox makes four 64-bit words for each value of its counter


def frame_noise(key: int, first_frame: int, frames: int, width: int) -> NDArray[np.float32]:
    """Standard normal noise of absolute frames [first_frame, first_frame + frames): (frame, width).

    Frame k owns the counter values from k * blocks on.  Each 64-bit word gives one Box-Muller pair.  Frames before the
    start of the stream have negative numbers, which wrap around the 256-bit counter.
    """
    blocks = -(-width // (2 * WORDS_PER_BLOCK))
    start = (first_frame * blocks) % 2**256
    counter = np.array([(start >> (64 * i)) & (2**64 - 1) for i in range(4)], np.uint64)
    words = np.random.Philox(key=key, counter=counter).random_raw(frames * blocks * WORDS_PER_BLOCK)
    radius = np.sqrt(-2 * np.log(((words >> np.uint64(32)) + 1.0) / 2**32))
    angle = (words & np.uint64(0xFFFFFFFF)) * (2 * np.pi / 2**32)
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return pairs.reshape(frames, -1)[:, :width].astype(np.float32)
