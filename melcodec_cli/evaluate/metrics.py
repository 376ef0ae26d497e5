"""The metrics: what each is called, which way is better, what it needs, and how it compares two clips.

Every function takes reference and decoded speech of equal rate and length, and gives NaN where it is not defined.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from melcodec_cli.evaluate.speech import FULL_RATE_HZ, RATE_HZ, Speech

NAN = float("nan")
CEPSTRAL_DB = 10 * np.sqrt(2) / np.log(10)


@dataclass(frozen=True)
class Metric:
    key: str  # in JSON and CSV
    label: str
    better: str  # "higher", "lower", or "zero": the nearer to it, from either side
    digits: int  # behind the point, in tables
    compare: Callable[[Speech, Speech], float]
    needs: str | None = None  # a package that has to be there
    means: str = ""  # one line for people
    full_band: bool = False  # needs speech at 48 kHz

    def missing(self) -> str | None:
        """Why it cannot be measured here, if so."""
        if self.needs is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(self.needs)
        except ImportError as error:
            return f"{self.needs} cannot be imported ({error}); pip install 'melcodec[eval]'"
        return None


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


def mel_cepstral_distortion(reference: Speech, decoded: Speech) -> float:
    squares = np.square(reference.cepstra - decoded.cepstra).sum(axis=1)
    return float(CEPSTRAL_DB * np.sqrt(squares).mean())


def log_spectral_distance(reference: Speech, decoded: Speech) -> float:
    squares = np.square(reference.spectrum_db - decoded.spectrum_db).mean(axis=1)
    return float(np.sqrt(squares).mean())


def full_band_distance(reference: Speech, decoded: Speech) -> float:
    if not reference.full_band:
        return NAN
    squares = np.square(reference.whole_spectrum_db - decoded.whole_spectrum_db).mean(axis=1)
    return float(np.sqrt(squares).mean())


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


METRICS = (
    Metric("pesq_wb", "PESQ-WB", "higher", 2, pesq_wb, "pesq", "ITU-T P.862.2, MOS-LQO from 1.04 to 4.64"),
    Metric("stoi", "STOI", "higher", 3, stoi, "pystoi", "short-time objective intelligibility, up to 1"),
    Metric("estoi", "ESTOI", "higher", 3, estoi, "pystoi", "extended STOI, which also sees modulations"),
    Metric(
        "log_mel_l1",
        "log-mel L1",
        "lower",
        3,
        log_mel_l1,
        means="mean |difference| of ln(max(mel, 1e-5)): 80 Slaney bands to 8 kHz, FFT 1024, Hann 640, hop 160",
    ),
    Metric(
        "mcd_db",
        "MCD dB",
        "lower",
        2,
        mel_cepstral_distortion,
        means="10 sqrt(2)/ln 10 times the mean distance of c1..c24, c_k = 2/80 sum ln(mel_b) cos(pi k (b+1/2)/80), "
        "frame by frame without warping: the RMS difference in dB of the smoothed log-mel, level apart",
    ),
    Metric(
        "lsd_db",
        "LSD dB",
        "lower",
        2,
        log_spectral_distance,
        means="mean over frames of the RMS difference of 20 log10 |STFT| over bins; FFT 1024, Hann 640, hop 160",
    ),
    Metric(
        "full_lsd_db",
        "LSD 0-24k dB",
        "lower",
        2,
        full_band_distance,
        means="the same from 0 to 24 kHz, of clips with that band; FFT 3072, Hann 1920, hop 480",
        full_band=True,
    ),
    Metric(
        "energy_8k_16k_db",
        "8-16k dB",
        "zero",
        1,
        upper_octave,
        means="energy of the whole clip from 8 to 16 kHz less the original's",
        full_band=True,
    ),
    Metric(
        "energy_16k_24k_db",
        "16-24k dB",
        "zero",
        1,
        top_octave,
        means="the same from 16 to 24 kHz, what there is of the next octave",
        full_band=True,
    ),
    Metric(
        "f0_rmse_cents",
        "F0 RMSE cents",
        "lower",
        0,
        pitch_rmse,
        "pyworld",
        "WORLD DIO + StoneMask, 60-500 Hz, every 10 ms, over frames that both call voiced; 1200 is an octave",
    ),
    Metric(
        "voicing_error_percent",
        "voicing error %",
        "lower",
        1,
        voicing_error,
        "pyworld",
        "share of those frames that one calls voiced and the other not",
    ),
    Metric(
        "speaker_similarity",
        "speaker sim.",
        "higher",
        3,
        speaker_similarity,
        "resemblyzer",
        "cosine of GE2E speaker embeddings (Resemblyzer), volume normalised, long silences cut",
    ),
)


DIGITS = {metric.key: metric.digits for metric in METRICS}


def available_metrics() -> tuple[list[Metric], dict[str, str]]:
    """Those that can be measured here, and why the others cannot, by label."""
    reasons = {metric.label: metric.missing() for metric in METRICS}
    missing = {label: reason for label, reason in reasons.items() if reason}
    return [metric for metric in METRICS if metric.label not in missing], missing


def measure(reference: Speech, decoded: Speech, metrics: Iterable[Metric] = METRICS) -> dict[str, float]:
    """Compare two clips; what one has beyond the other's end is left out."""
    samples = min(len(reference.sound), len(decoded.sound))
    if not samples:
        return {metric.key: NAN for metric in metrics}
    reference, decoded = reference.between(0, samples), decoded.between(0, samples)
    return {metric.key: metric.compare(reference, decoded) for metric in metrics}
