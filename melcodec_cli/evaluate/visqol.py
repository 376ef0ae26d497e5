"""ViSQOL: how alike two sounds are to a model of the ear, on the scale that listeners use.

The package `visqol-python` is a port of Google's. Speech mode maps likeness to quality by a polynomial that gives 5
to what is the same: its other mapping wants a runtime of its own, and figures must not hang on what is installed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from melcodec_cli.evaluate.speech import FULL_RATE_HZ, RATE_HZ, Audio, Speech

NAN = float("nan")


def speech_quality(reference: Speech, decoded: Speech) -> float:
    """Speech mode, at 16 kHz."""
    return _quality("speech", reference.audio, decoded.audio, RATE_HZ)


def full_band_quality(reference: Speech, decoded: Speech) -> float:
    """Audio mode, at 48 kHz."""
    if not reference.full_band:
        return NAN
    return _quality("audio", reference.sound, decoded.sound, FULL_RATE_HZ)


def _quality(mode: str, reference: Audio, decoded: Audio, rate_hz: int) -> float:
    if not reference.any():
        return NAN
    try:
        return float(_judge(mode).measure_from_arrays(reference, decoded, rate_hz).moslqo)
    except (IndexError, ValueError):  # shorter than a patch, or nothing that is loud enough to be one
        return NAN


@cache
def _judge(mode: str) -> Any:
    import visqol

    _stay_on_one_thread()
    judge = visqol.VisqolApi()
    judge.create(mode=mode, use_lattice_model=False)
    return judge


def _stay_on_one_thread() -> None:
    """Numba, where it is installed, would take every core for each process."""
    try:
        import numba
    except ImportError:
        return
    numba.set_num_threads(1)
