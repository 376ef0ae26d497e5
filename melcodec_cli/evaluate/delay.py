"""The constant delay of a codec, from what its output's loudness does in eight bands.

Waveforms would not do: a parametric codec keeps no phases, and the correlation of two voiced sounds has a
peak at every pitch period. Envelopes of bands have one, at the delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

import numpy as np

from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech

LONGEST_S = 0.2
LEAST_S = 0.002  # less is the estimate's own error on a vocoder without any; the delays of codecs are longer
BAND_EDGES_HZ = np.geomspace(200, 3400, 9)  # what narrow-band codecs keep too


def delay_samples(reference: Audio, decoded: Audio) -> int:
    """By how many samples `decoded` lags behind `reference`, at 16 kHz."""
    longest = round(LONGEST_S * RATE_HZ)
    samples = max(len(reference), len(decoded))
    size = 1 << (samples + longest).bit_length()  # long enough for no end to meet the other's beginning
    before, after = np.fft.fft(reference, size), np.fft.fft(decoded, size)
    frequency_hz = np.fft.fftfreq(size, 1 / RATE_HZ)
    correlation = np.zeros(size)
    for low_hz, high_hz in zip(BAND_EDGES_HZ[:-1], BAND_EDGES_HZ[1:], strict=True):
        band = (frequency_hz >= low_hz) & (frequency_hz < high_hz)
        # Of positive frequencies alone, so the inverse is the analytic signal and its modulus the envelope.
        first, second = (_centred(np.abs(np.fft.ifft(each * band)), samples) for each in (before, after))
        correlation += np.fft.irfft(np.conj(np.fft.rfft(first)) * np.fft.rfft(second), size)
    around_zero = np.concatenate([correlation[-longest:], correlation[: longest + 1]])
    return int(around_zero.argmax()) - longest if around_zero.any() else 0


def constant_delay(delays: Iterable[int]) -> int:
    """Of a system, from those of its clips: the middle one, because on a short clip any estimate may be off."""
    delay = round(median(delays))
    return delay if abs(delay) >= LEAST_S * RATE_HZ else 0


def _centred(envelope: np.ndarray, samples: int) -> np.ndarray:
    envelope[samples:] = 0
    envelope[:samples] -= envelope[:samples].mean()
    return envelope / (np.linalg.norm(envelope) + 1e-12)


def aligned(reference: Speech, decoded: Speech, delay: int) -> tuple[Speech, Speech]:
    """Both from the first sample on that the other has too; `delay` is at 16 kHz."""
    samples = delay * reference.rate_hz // RATE_HZ
    return (
        reference.between(max(0, -samples), len(reference.sound)),
        decoded.between(max(0, samples), len(decoded.sound)),
    )
