"""The metrics: what each is called, which way is better, what it needs, and how it compares two clips.

Those of likeness were optimised: losses are near to some, and models were chosen by the others. The judges no loss
knows.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from melcodec_cli.evaluate import harvest, likeness, naturalness, recognition, visqol
from melcodec_cli.evaluate.speech import Speech
from melcodec_cli.evaluate.statistics import Share

NAN = float("nan")
Score = float | Share


@dataclass(frozen=True)
class Metric:
    key: str  # in JSON and CSV
    label: str
    better: str  # "higher", "lower", or "zero": the nearer to it, from either side
    digits: int  # behind the point, in tables
    compare: Callable[[Speech, Speech], Score]
    needs: str | None = None  # a package that has to be there
    means: str = ""  # one line for people
    full_band: bool = False  # needs speech at 48 kHz
    kind: str = "likeness"  # or "judge"; each has a table
    of_voices: bool = False  # says nothing, or something misleading, about music and other sounds

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


LIKENESS = (
    Metric(
        "pesq_wb",
        "PESQ-WB",
        "higher",
        2,
        likeness.pesq_wb,
        "pesq",
        "ITU-T P.862.2, MOS-LQO from 1.04 to 4.64",
        of_voices=True,
    ),
    Metric(
        "stoi",
        "STOI",
        "higher",
        3,
        likeness.stoi,
        "pystoi",
        "short-time objective intelligibility, up to 1",
        of_voices=True,
    ),
    Metric(
        "estoi",
        "ESTOI",
        "higher",
        3,
        likeness.estoi,
        "pystoi",
        "extended STOI, which also sees modulations",
        of_voices=True,
    ),
    Metric(
        "log_mel_l1",
        "log-mel L1",
        "lower",
        3,
        likeness.log_mel_l1,
        means="mean |difference| of ln(max(mel, 1e-5)): 80 Slaney bands to 8 kHz, FFT 1024, Hann 640, hop 160",
    ),
    Metric(
        "mcd_db",
        "MCD dB",
        "lower",
        2,
        likeness.mel_cepstral_distortion,
        means="10 sqrt(2)/ln 10 times the mean distance of c1..c24, c_k = 2/80 sum ln(mel_b) cos(pi k (b+1/2)/80), "
        "frame by frame without warping: the RMS difference in dB of the smoothed log-mel, level apart",
    ),
    Metric(
        "lsd_db",
        "LSD dB",
        "lower",
        2,
        likeness.log_spectral_distance,
        means="mean over frames of the RMS difference of 20 log10 |STFT| over bins, no lower than the noise of 16-bit "
        "samples; FFT 1024, Hann 640, hop 160; a tenth of it is the distance of log10 powers that others print",
    ),
    Metric(
        "level_db",
        "level dB",
        "zero",
        1,
        likeness.level,
        means="energy of the whole clip less the original's",
    ),
    Metric(
        "full_log_mel_l1",
        "log-mel L1 0-24k",
        "lower",
        3,
        likeness.full_log_mel_l1,
        means="log-mel L1 from 0 to 24 kHz, of clips with that band: 110 Slaney bands, FFT 3072, Hann 1920, hop 480",
        full_band=True,
    ),
    Metric(
        "full_mcd_db",
        "MCD 0-24k dB",
        "lower",
        2,
        likeness.full_cepstral_distortion,
        means="MCD of that log-mel, with 2/110 and 110 in the places of 2/80 and 80",
        full_band=True,
    ),
    Metric(
        "full_lsd_db",
        "LSD 0-24k dB",
        "lower",
        2,
        likeness.full_band_distance,
        means="LSD from 0 to 24 kHz; FFT 3072, Hann 1920, hop 480",
        full_band=True,
    ),
    Metric(
        "energy_8k_16k_db",
        "8-16k dB",
        "zero",
        1,
        likeness.upper_octave,
        means="energy of the whole clip from 8 to 16 kHz less the original's, of clips with that band",
        full_band=True,
    ),
    Metric(
        "energy_16k_24k_db",
        "16-24k dB",
        "zero",
        1,
        likeness.top_octave,
        means="the same from 16 to 24 kHz, what there is of the next octave",
        full_band=True,
    ),
    Metric(
        "f0_rmse_cents",
        "F0 RMSE cents",
        "lower",
        0,
        likeness.pitch_rmse,
        "pyworld",
        "WORLD DIO + StoneMask, 60-500 Hz, every 10 ms, over frames that both call voiced; 1200 is an octave",
        of_voices=True,
    ),
    Metric(
        "voicing_error_percent",
        "voicing error %",
        "lower",
        1,
        likeness.voicing_error,
        "pyworld",
        "share of those frames that one calls voiced and the other not",
        of_voices=True,
    ),
    Metric(
        "speaker_similarity",
        "speaker sim.",
        "higher",
        3,
        likeness.speaker_similarity,
        "resemblyzer",
        "cosine of GE2E speaker embeddings (Resemblyzer), volume normalised, long silences cut",
        of_voices=True,
    ),
)


def _judge(
    key: str,
    label: str,
    better: str,
    digits: int,
    compare: Callable[[Speech, Speech], Score],
    needs: str,
    means: str,
    full_band: bool = False,
    of_voices: bool = True,
) -> Metric:
    return Metric(key, label, better, digits, compare, needs, means, full_band, "judge", of_voices)


JUDGES = (
    _judge(
        "dnsmos_overall",
        "DNSMOS",
        "higher",
        2,
        naturalness.overall,
        "speechmos.dnsmos",
        "foretold opinion of listeners on the whole, 1 to 5, who hear the decoded speech alone; the original has no 5",
    ),
    _judge(
        "dnsmos_signal",
        "DNSMOS signal",
        "higher",
        2,
        naturalness.signal,
        "speechmos.dnsmos",
        "the same of the voice",
    ),
    _judge(
        "dnsmos_background",
        "DNSMOS backgr.",
        "higher",
        2,
        naturalness.background,
        "speechmos.dnsmos",
        "the same of what is heard behind the voice",
    ),
    _judge(
        "dnsmos_p808",
        "P.808",
        "higher",
        2,
        naturalness.p808,
        "speechmos.dnsmos",
        "the same by a network that learnt from listening tests of ITU-T P.808",
    ),
    _judge(
        "visqol_speech",
        "ViSQOL",
        "higher",
        2,
        visqol.speech_quality,
        "visqol",
        "likeness to a model of the ear, as MOS-LQO from 1 to 5: speech mode, 16 kHz, polynomial mapping",
    ),
    _judge(
        "visqol_audio",
        "ViSQOL 48k",
        "higher",
        2,
        visqol.full_band_quality,
        "visqol",
        "likeness to a model of the ear in audio mode at 48 kHz, as MOS-LQO from 1 to 4.73",
        full_band=True,
        of_voices=False,
    ),
    _judge(
        "word_error_percent",
        "WER* %",
        "lower",
        1,
        recognition.word_errors,
        "pocketsphinx",
        "words that PocketSphinx (en-us) understands otherwise than in the original, of those that it understands "
        "there; of all clips together",
    ),
    _judge(
        "phone_error_percent",
        "PER* %",
        "lower",
        1,
        recognition.phone_errors,
        "pocketsphinx",
        "the same of phones, which its model of English phones in a row tells without a dictionary",
    ),
    _judge(
        "harvest_gross_percent",
        "Harvest gross %",
        "lower",
        1,
        harvest.gross_pitch_error,
        "pyworld",
        "WORLD Harvest, 60-500 Hz, every 10 ms: share of the frames voiced in both whose pitch is over 20 % off",
    ),
    _judge(
        "harvest_voicing_percent",
        "Harvest voicing %",
        "lower",
        1,
        harvest.voicing_disagreement,
        "pyworld",
        "share of those frames that are voiced in one and not in the other",
    ),
    _judge(
        "harvest_cents",
        "Harvest cents",
        "lower",
        0,
        harvest.median_cents,
        "pyworld",
        "median of how far the pitch is off, over frames voiced in both",
    ),
)

METRICS = LIKENESS + JUDGES
DIGITS = {metric.key: metric.digits for metric in METRICS}


def available_metrics(wanted: Iterable[Metric] = METRICS) -> tuple[list[Metric], dict[str, str]]:
    """Those that can be measured here, and why the others cannot, by the labels of all that one package would give."""
    reasons = {metric: metric.missing() for metric in wanted}
    labels: dict[str, list[str]] = {}
    for metric, reason in reasons.items():
        if reason:
            labels.setdefault(reason, []).append(metric.label)
    missing = {", ".join(those): reason for reason, those in labels.items()}
    return [metric for metric, reason in reasons.items() if not reason], missing


def suited_to(content: str, metrics: Iterable[Metric]) -> list[Metric]:
    """Those that mean something for clips of this content: "speech", "music" or "sound"."""
    return [metric for metric in metrics if content == "speech" or not metric.of_voices]


def measure(reference: Speech, decoded: Speech, metrics: Iterable[Metric] = METRICS) -> dict[str, Score]:
    """Compare two clips; what one has beyond the other's end is left out."""
    samples = min(len(reference.sound), len(decoded.sound))
    if not samples:
        return {metric.key: NAN for metric in metrics}
    reference, decoded = reference.between(0, samples), decoded.between(0, samples)
    return {metric.key: metric.compare(reference, decoded) for metric in metrics}
