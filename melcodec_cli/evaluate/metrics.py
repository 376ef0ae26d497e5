"""The metrics: what each is called, which way is better, what it needs, and how it compares two clips.

Every function takes reference and decoded speech of equal length, and gives NaN where it is not defined.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech

NAN = float("nan")
CEPSTRAL_DB = 10 * np.sqrt(2) / np.log(10)


@dataclass(frozen=True)
class Metric:
    key: str  # in JSON and CSV
    label: str
    better: str  # "higher" or "lower"
    digits: int  # behind the point, in tables
    compare: Callable[[Speech, Speech], float]
    needs: str | None = None  # a package that has to be there
    means: str = ""  # one line for people

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


def available_metrics() -> tuple[list[Metric], dict[str, str]]:
    """Those that can be measured here, and why the others cannot, by label."""
    reasons = {metric.label: metric.missing() for metric in METRICS}
    missing = {label: reason for label, reason in reasons.items() if reason}
    return [metric for metric in METRICS if metric.label not in missing], missing


def measure(reference: Audio, decoded: Audio, metrics: Iterable[Metric] = METRICS) -> dict[str, float]:
    """Compare two float32 clips at 16 kHz; what one has beyond the other's end is left out."""
    return measure_speech(Speech(reference), Speech(decoded), metrics)


def measure_speech(reference: Speech, decoded: Speech, metrics: Iterable[Metric]) -> dict[str, float]:
    samples = min(len(reference.audio), len(decoded.audio))
    if not samples:
        return {metric.key: NAN for metric in metrics}
    reference, decoded = reference.first(samples), decoded.first(samples)
    return {metric.key: metric.compare(reference, decoded) for metric in metrics}
