"""Measures the bandwidth of a recording, which may be much less than its sampling rate allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_SAMPLES = 2048
SMOOTHING_HZ = 250.0
ABOVE_ROUNDING_DB = 10.0  # anything nearer to the noise of 16-bit rounding does not count as content
FULL_SHARE = 0.95  # of half the rate, counted as full: the rest may be a resampler's slope


def bandwidth_hz(samples: NDArray[np.int16], rate_hz: int) -> float:
    """Highest frequency at which the long-term spectrum stands above the noise of rounding to 16 bits.

    This is half the rate if no more than the last twentieth is missing, and 0 for silence.
    """
    count = max(1, len(samples) // FRAME_SAMPLES)
    padded = np.zeros(count * FRAME_SAMPLES, np.float32)
    padded[: min(len(samples), len(padded))] = samples[: len(padded)]
    window = np.kaiser(FRAME_SAMPLES, 14).astype(np.float32)  # side lobes under 16-bit rounding
    frames = padded.reshape(count, FRAME_SAMPLES) * window
    power = np.zeros(FRAME_SAMPLES // 2 + 1)
    for start in range(0, count, 256):  # all spectra of a long recording might not fit into memory
        power += np.square(np.abs(np.fft.rfft(frames[start : start + 256]))).sum(0)
    power /= count * np.square(window).sum()  # rounding to whole steps has a variance of 1/12
    width = max(1, round(SMOOTHING_HZ * FRAME_SAMPLES / rate_hz))
    smooth = np.convolve(power, np.full(width, 1 / width), "same")
    present = np.flatnonzero(smooth > 10 ** (ABOVE_ROUNDING_DB / 10) / 12)
    if not len(present):
        return 0.0
    # The average of `width` bins still holds the last one with content half a width further up.
    highest = max(0.0, (present[-1] - width // 2) * rate_hz / FRAME_SAMPLES)
    return rate_hz / 2 if highest >= FULL_SHARE * rate_hz / 2 else float(highest)
