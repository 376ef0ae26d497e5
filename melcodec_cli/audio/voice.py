"""Tells a voice from music and noise by how the bands of its log-mel move.

A voice has some five syllables a second and pauses between words; its bands rise and fall together within a syllable,
and apart from vowel to consonant.  Music and noise move less, or all at once, or at other speeds.  Everything is
measured below 3.8 kHz, so that a telephone is heard like a studio, and no recording is told by its bandwidth.

The numbers are those of a logistic regression, fitted by `python -m melcodec_cli.train.voice`; RUNS.md in that
folder says on what, and how often it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEARD_S = 20.0  # of the beginning: what follows is ignored
LEAST_S = 4.0  # fewer syllables than this holds say too little
LEAST_PEAK = 1e-3  # of full scale: what is quieter may be anything
HOP_S = 0.016  # frames of twice that, with a Hann window
FRAMES_AT_ONCE = 256  # more would only take more memory
LOW_HZ, HIGH_HZ, BANDS = 100.0, 3800.0, 24
LOUD_PERCENTILE = 95  # of the frames' levels; what matters lies in the so many decibels below it:
FRAME_RANGE_DB, BAND_RANGE_DB = 50.0, 60.0
SYLLABLE_FRAMES = 16  # a quarter of a second
RHYTHM_FRAMES = 64  # a second, so that bin k of its spectrum is about k Hz
# Log-odds below which a sound is called no voice: something else is twice as likely, as false alarms annoy.
NO_VOICE = -np.log(2)

Levels = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """The fitted numbers: the log-odds of a voice are x W x, where x is 1 followed by the scaled clues."""

    mean: Sequence[float] | Levels  # of the clues in all recordings of the fit
    deviation: Sequence[float] | Levels
    weights: Sequence[Sequence[float]] | Levels  # W, zero below its diagonal


FITTED = Numbers(
    mean=(2.399, 9.437, 0.990, 0.811, 0.521),
    deviation=(0.466, 1.443, 0.520, 0.134, 0.170),
    weights=(
        (2.907, 1.169, 0.887, -1.052, 4.950, -2.649),
        (0.000, -0.462, -0.117, 1.263, 1.059, -1.165),
        (0.000, 0.000, -1.118, 1.108, 0.286, -1.165),
        (0.000, 0.000, 0.000, -2.041, 1.377, 1.295),
        (0.000, 0.000, 0.000, 0.000, -1.670, 2.306),
        (0.000, 0.000, 0.000, 0.000, 0.000, -1.413),
    ),
)


class VoiceDetector:
    """Hears the beginning of a recording of one channel, in pieces of any length."""

    def __init__(self, rate_hz: int):
        self._rate_hz = rate_hz
        self._pieces: list[NDArray[np.float32]] = []
        self._missing = round(HEARD_S * rate_hz)

    @property
    def heard_enough(self) -> bool:
        return self._missing == 0

    def hear(self, audio: NDArray[np.float32]) -> None:
        piece = audio[: self._missing].copy()  # a view would keep all of it alive
        self._pieces.append(piece)
        self._missing -= len(piece)

    def is_voice(self) -> bool | None:
        """False if it is music or noise; None if there is too little to tell."""
        audio = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
        if len(audio) < LEAST_S * self._rate_hz or np.abs(audio).max() < LEAST_PEAK:
            return None
        return bool(voice_log_odds(clues(band_levels_db(audio, self._rate_hz))) >= NO_VOICE)


def voice_log_odds(found: Levels, numbers: Numbers = FITTED) -> float:
    x = np.append(1.0, (found - np.asarray(numbers.mean)) / np.asarray(numbers.deviation))
    return float(x @ np.asarray(numbers.weights) @ x)


def band_levels_db(audio: NDArray[np.float32], rate_hz: int) -> Levels:
    """The levels in bands of equal width on the mel scale: (frame, band)."""
    hop = round(HOP_S * rate_hz)
    fft_samples = 1 << (2 * hop - 1).bit_length()
    frames = np.lib.stride_tricks.sliding_window_view(audio, 2 * hop)[::hop]
    filters = _filters(rate_hz, fft_samples) * (rate_hz / fft_samples / (2 * hop) ** 2)
    window = np.hanning(2 * hop)
    powers = [
        np.square(np.abs(np.fft.rfft(frames[first : first + FRAMES_AT_ONCE] * window, fft_samples))) @ filters
        for first in range(0, len(frames), FRAMES_AT_ONCE)
    ]
    return 10 * np.log10(np.concatenate(powers) + 1e-11)


def clues(levels_db: Levels) -> Levels:
    """Five numbers that differ between voices and other sounds."""
    loudness_db = 10 * np.log10((10 ** (levels_db / 10)).sum(axis=1))
    loud_db = np.percentile(loudness_db, LOUD_PERCENTILE)
    bands = np.maximum(levels_db, loud_db - BAND_RANGE_DB)
    loudness = np.maximum(loudness_db, loud_db - FRAME_RANGE_DB)
    # From syllable to syllable: how far bands move in a quarter of a second.
    movement = np.abs(bands[SYLLABLE_FRAMES:] - bands[:-SYLLABLE_FRAMES]).mean()
    # The rhythm of syllables: how much of the loudness swings at 4 to 8 Hz.
    seconds = np.lib.stride_tricks.sliding_window_view(loudness, RHYTHM_FRAMES)[::SYLLABLE_FRAMES]
    swings = (seconds - seconds.mean(axis=1, keepdims=True)) * np.hanning(RHYTHM_FRAMES)
    rhythm = np.square(np.abs(np.fft.rfft(swings))).mean(axis=0)[4:8].sum()
    # Sudden beginnings and long vowels: how unevenly the spectrum changes from frame to frame.
    unevenness = np.abs(np.diff(bands, axis=0)).mean(axis=1).std()
    # How much neighbouring bands, and those ten bands apart, move together.
    scaled = (bands - bands.mean(axis=0)) / (bands.std(axis=0) + 0.5)
    together = [(scaled[:, apart:] * scaled[:, : BANDS - apart]).mean() for apart in (1, 10)]
    return np.array([*np.log([movement + 0.1, rhythm + 0.1, unevenness + 0.1]), *together])


def _filters(rate_hz: int, fft_samples: int) -> Levels:
    """Triangles on the mel scale: (bin, band)."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (LOW_HZ, HIGH_HZ))
    mels = np.linspace(low, high, BANDS + 2)
    edges_hz = 700 * (10 ** (mels / 2595) - 1)
    bins_hz = np.arange(fft_samples // 2 + 1) * rate_hz / fft_samples
    widths_hz = np.diff(edges_hz)
    rising = (bins_hz[:, None] - edges_hz[:-2]) / widths_hz[:-1]
    falling = (edges_hz[2:] - bins_hz[:, None]) / widths_hz[1:]
    return np.maximum(0.0, np.minimum(rising, falling))
