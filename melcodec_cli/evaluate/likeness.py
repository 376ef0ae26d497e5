"""Likeness to the original: how far a decoded sound is from it in spectrum and level, and speech in pitch and voice.

Losses of the training are near to some of these measures, and models were chosen by the others. Every function
takes reference and decoded speech of equal rate and length, and gives NaN where it is not defined.
"""

from __future__ import annotations

import warnings

import numpy as np

from melcodec_cli.evaluate.speech import FULL_RATE_HZ, RATE_HZ, Speech, Table

NAN = float("nan")
CEPSTRAL_DB = 10 * np.sqrt(2) / np.log(10)


def pesq_wb(reference: Speech, decoded: Speech) -> float:
    import pesq

    try:
        return float(pesq.pesq(RATE_HZ, reference.audio, decoded.audio, "wb"))
    except (pesq.NoUtterancesError, pesq.BufferTooShortError):
        return NAN


def stoi(reference: Speech, decoded: Speech) -> float:
    return _intelligibility(reference, decoded, extended=False)


def estoi(reference: Speech, decoded: Speech) -> float:
    return _intelligibility(reference, decoded, extended=True)


def _intelligibility(reference: Speech, decoded: Speech, extended: bool) -> float:
    import pystoi

    if not reference.audio.any():
        return NAN
    with warnings.catch_warnings():
        # Where less than 0.4 s of speech is left it says so in a warning, and returns a number all the same.
        warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)
        # To ESTOI it adds a little noise of numpy's own generator: the same every time, so that results are.
        state = np.random.get_state()
        np.random.seed(0)
        try:
            return float(pystoi.stoi(reference.audio, decoded.audio, RATE_HZ, extended=extended))
        except (RuntimeWarning, ValueError):
            return NAN
        finally:
            np.random.set_state(state)


def log_mel_l1(reference: Speech, decoded: Speech) -> float:
    return float(np.abs(reference.log_mel - decoded.log_mel).mean())


def full_log_mel_l1(reference: Speech, decoded: Speech) -> float:
    if not reference.full_band:
        return NAN
    return float(np.abs(reference.whole_log_mel - decoded.whole_log_mel).mean())


def mel_cepstral_distortion(reference: Speech, decoded: Speech) -> float:
    return _cepstral_distance_db(reference.cepstra, decoded.cepstra)


def full_cepstral_distortion(reference: Speech, decoded: Speech) -> float:
    return (
        _cepstral_distance_db(reference.whole_cepstra, decoded.whole_cepstra) if reference.full_band else NAN
    )


def _cepstral_distance_db(reference: Table, decoded: Table) -> float:
    return float(CEPSTRAL_DB * np.sqrt(np.square(reference - decoded).sum(axis=1)).mean())


def log_spectral_distance(reference: Speech, decoded: Speech) -> float:
    return _spectral_distance_db(reference.spectrum_db, decoded.spectrum_db)


def full_band_distance(reference: Speech, decoded: Speech) -> float:
    if not reference.full_band:
        return NAN
    return _spectral_distance_db(reference.whole_spectrum_db, decoded.whole_spectrum_db)


def _spectral_distance_db(reference: Table, decoded: Table) -> float:
    return float(np.sqrt(np.square(reference - decoded).mean(axis=1)).mean())


def level(reference: Speech, decoded: Speech) -> float:
    end_hz = reference.rate_hz / 2
    return decoded.band_power_db(0, end_hz) - reference.band_power_db(0, end_hz)


def upper_octave(reference: Speech, decoded: Speech) -> float:
    return _gain_db(reference, decoded, 8000, 16000)


def top_octave(reference: Speech, decoded: Speech) -> float:
    return _gain_db(reference, decoded, 16000, FULL_RATE_HZ / 2)


def _gain_db(reference: Speech, decoded: Speech, low_hz: float, high_hz: float) -> float:
    if not reference.full_band:
        return NAN
    return decoded.band_power_db(low_hz, high_hz) - reference.band_power_db(low_hz, high_hz)


def pitch_rmse(reference: Speech, decoded: Speech) -> float:
    both = (reference.pitch_hz > 0) & (decoded.pitch_hz > 0)
    if not both.any():
        return NAN
    cents = 1200 * np.log2(decoded.pitch_hz[both] / reference.pitch_hz[both])
    return float(np.sqrt(np.square(cents).mean()))


def voicing_error(reference: Speech, decoded: Speech) -> float:
    return float(100 * ((reference.pitch_hz > 0) != (decoded.pitch_hz > 0)).mean())


def speaker_similarity(reference: Speech, decoded: Speech) -> float:
    if reference.speaker is None or decoded.speaker is None:
        return NAN
    return float(reference.speaker @ decoded.speaker)
