"""Pitch as WORLD's Harvest hears it, which is another tracker than the one that the models learnt from.

Labels of the training and the encoder's search come from DIO; what they gain by its habits alone, Harvest does not see.
"""

from __future__ import annotations

import numpy as np

from melcodec_cli.evaluate.speech import MEL, PITCH_HIGH_HZ, PITCH_LOW_HZ, RATE_HZ, Audio, Speech, Table

GROSS = 0.2  # of the original's pitch: further off it is another note, an octave as a rule
NAN = float("nan")


def pitch_hz(audio: Audio) -> Table:
    """One value a hop of the mel; 0 where unvoiced."""
    import pyworld

    found: Table = pyworld.harvest(
        audio.astype(np.float64),
        RATE_HZ,
        f0_floor=PITCH_LOW_HZ,
        f0_ceil=PITCH_HIGH_HZ,
        frame_period=1000 * MEL.hop_samples / RATE_HZ,
    )[0]
    return found


def gross_pitch_error(reference: Speech, decoded: Speech) -> float:
    """Per cent of the frames voiced in both whose pitch is far off."""
    before, after = _voiced_in_both(reference, decoded)
    return float(100 * (np.abs(after / before - 1) > GROSS).mean()) if len(before) else NAN


def voicing_disagreement(reference: Speech, decoded: Speech) -> float:
    """Per cent of the frames voiced in one and not in the other."""
    before, after = reference.learn(pitch_hz), decoded.learn(pitch_hz)
    return float(100 * ((before > 0) != (after > 0)).mean())


def median_cents(reference: Speech, decoded: Speech) -> float:
    """How far the pitch is off in half of the frames voiced in both."""
    before, after = _voiced_in_both(reference, decoded)
    return float(np.median(np.abs(1200 * np.log2(after / before)))) if len(before) else NAN


def _voiced_in_both(reference: Speech, decoded: Speech) -> tuple[Table, Table]:
    before, after = reference.learn(pitch_hz), decoded.learn(pitch_hz)
    both = (before > 0) & (after > 0)
    return before[both], after[both]
