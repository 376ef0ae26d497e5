"""Voicing measured on the waveform, where it repeats; a mel has no phase and can only suggest it.

This is the voicing decision of DIO (Morise, Kawahara and Katayose, 2009; as WORLD computes it).  A voice that is
low-passed a little above its pitch becomes a sine, whose zero crossings, peaks and dips are evenly spaced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

PERIOD_S = 0.01  # between decisions
LOW_HZ, HIGH_HZ = 60.0, 500.0
EDGES_HZ = [
    LOW_HZ * 2 ** (step / 2) for step in range(1, 8)
]  # upper edges of bands; each is searched one octave down
RUMBLE_HZ = 50.0  # anything below is removed first
MARGIN_S = 0.1  # silence for the filters to ring out in
BAND_RATE_HZ = 4000  # lowest rate of the low-passed signals, which have nothing above half of it
JUMP = 0.1  # largest relative change of pitch in a period
STEADY = int(0.5 + 1 / PERIOD_S / LOW_HZ)  # decisions on either side that must confirm one
HANN = (0.5, 0.5)
NUTTALL = (0.355768, 0.487396, 0.144232, 0.012604)

Floats = NDArray[np.floating[Any]]


def measured_voicing(audio: Tensor, rate_hz: int, hop_samples: int, moment_samples: int = 0) -> Tensor:
    """(samples,) -> how voiced each frame is, interpolated between decisions at its centre: (frame,).

    moment_samples: where one of the decisions is made; at other moments, one in ten would come out differently.
    """
    period_samples = rate_hz * PERIOD_S
    first = moment_samples % period_samples
    decisions = _voiced(audio.float().cpu(), rate_hz, first / rate_hz)
    centres = ((np.arange(len(audio) // hop_samples) + 0.5) * hop_samples - first) / period_samples
    return torch.from_numpy(np.interp(centres, np.arange(len(decisions)), decisions)).float()


def _voiced(signal: Tensor, rate_hz: int, first_s: float) -> NDArray[np.bool_]:
    """(samples,) -> one decision every PERIOD_S."""
    moments_s = first_s + np.arange(int((len(signal) / rate_hz - first_s) / PERIOD_S) + 1) * PERIOD_S
    ratio = rate_hz // BAND_RATE_HZ
    bands = zip(_bands(signal, rate_hz, ratio), EDGES_HZ, strict=True)
    estimates = [_pitch_in_band(band, rate_hz / ratio, edge_hz, moments_s) for band, edge_hz in bands]
    pitches_hz = np.stack([pitch_hz for pitch_hz, _ in estimates])
    surest = np.argmin([spread for _, spread in estimates], axis=0)
    return _continued(pitches_hz, pitches_hz[surest, np.arange(len(moments_s))])


def _bands(signal: Tensor, rate_hz: int, ratio: int) -> Iterator[Floats]:
    """The signal low-passed for each band, keeping one of every `ratio` samples."""
    size = 1 << math.ceil(math.log2((len(signal) + MARGIN_S * rate_hz) / ratio))
    spectrum = torch.fft.rfft(signal - signal.mean(), size * ratio).numpy()
    for response in _responses(size, ratio, rate_hz):
        yield np.fft.irfft(spectrum[: len(response)] * response, size)[: -(-len(signal) // ratio)]


@lru_cache(maxsize=8)
def _responses(size: int, ratio: int, rate_hz: int) -> tuple[Floats, ...]:
    """Frequency response of each band's low-pass with the rumble filter, up to where it passes nothing."""
    rumble_samples = 2 * round(rate_hz / RUMBLE_HZ) + 1
    responses = []
    for edge_hz in EDGES_HZ:
        bins = min(size // 2 + 1, math.ceil(2.1 * edge_hz * size * ratio / rate_hz))
        turns = np.arange(bins) / (size * ratio)  # per sample
        half = round(rate_hz / edge_hz / 2)
        low_pass = _raised_cosines(turns, 4 * half, NUTTALL, 4 * half - 1)
        rumble = _raised_cosines(turns, rumble_samples, HANN, rumble_samples + 1) * 2 / (rumble_samples + 1)
        responses.append((low_pass * (1 - rumble)).astype(np.float32))
    return tuple(responses)


def _raised_cosines(turns: Floats, samples: int, weights: tuple[float, ...], period_samples: int) -> Floats:
    """Frequency response of a centred window of `samples` that is a sum of cosines."""

    def box(turns: Floats) -> Floats:
        return samples * np.sinc(samples * turns) / np.sinc(turns)

    parts = [
        weight * (box(turns - order / period_samples) + box(turns + order / period_samples)) / 2
        for order, weight in enumerate(weights)
    ]
    return np.sum(parts, axis=0)


def _pitch_in_band(band: Floats, rate_hz: float, edge_hz: float, moments_s: Floats) -> tuple[Floats, Floats]:
    """Pitch, 0 where there is none in this band, and the spread of its four measures: (moment,) each."""
    slope = np.diff(band)
    measures = []
    for signal in (band, -band, -slope, slope):
        falls = np.flatnonzero((signal[:-1] > 0) & (signal[1:] <= 0))
        if len(falls) < 4:
            return np.zeros(len(moments_s)), np.full(len(moments_s), np.inf)
        places_s = (falls + signal[falls] / (signal[falls] - signal[falls + 1])) / rate_hz
        measures.append(np.interp(moments_s, (places_s[:-1] + places_s[1:]) / 2, 1 / np.diff(places_s)))
    pitch_hz = np.mean(measures, axis=0)
    belongs = (pitch_hz >= max(LOW_HZ, edge_hz / 2)) & (pitch_hz <= min(HIGH_HZ, edge_hz))
    spread = np.std(measures, axis=0, ddof=1) / pitch_hz
    return np.where(belongs, pitch_hz, 0.0), np.where(belongs, spread, np.inf)


def _continued(pitches_hz: Floats, best_hz: Floats) -> NDArray[np.bool_]:
    """pitches (band, moment), best (moment,) -> where there is a voice: where pitch is steady for long enough, extended
    on either side as long as some band continues it."""
    count, margin = len(best_hz), 2 * STEADY + 1
    pitch_hz = np.zeros(count)
    steady = np.zeros(count, bool)
    inner = np.zeros(count)
    inner[margin : count - margin] = best_hz[margin : count - margin]
    steady[1:] = (inner[1:] > 0) & (np.abs(np.diff(inner)) < JUMP * inner[1:])
    core: NDArray[np.bool_] = sliding_window_view(np.pad(steady, STEADY), 2 * STEADY + 1).min(axis=1)
    pitch_hz[core] = inner[core]
    changes = np.flatnonzero(np.diff(core.astype(int)))
    for step, ends in ((1, changes[core[changes]]), (-1, changes[~core[changes]][::-1] + 1)):
        for end in ends:
            place = end
            while 0 < place + step < count - 1 and not pitch_hz[place + step]:
                expected = (3 * pitch_hz[place] - pitch_hz[place - step]) / 2
                nearest = pitches_hz[np.abs(pitches_hz[:, place + step] - expected).argmin(), place + step]
                if abs(nearest - expected) > JUMP * expected:
                    break
                place += step
                pitch_hz[place] = nearest
    return pitch_hz > 0
