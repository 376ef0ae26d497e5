"""Metrics on speech whose damage is known: nothing, a delay, a low-pass, noise at two levels."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from melcodec_cli.evaluate.clips import BUILT_IN, read_speech
from melcodec_cli.evaluate.delay import aligned, constant_delay, delay_samples
from melcodec_cli.evaluate.metrics import METRICS, Metric, measure, mel_cepstral_distortion
from melcodec_cli.evaluate.peers import resampled
from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech

CLIP = BUILT_IN / "speechocean762-010440053.opus"
PERFECT = {
    "pesq_wb": pytest.approx(4.644, abs=1e-3),
    "stoi": pytest.approx(1.0),
    "estoi": pytest.approx(1.0),
    "log_mel_l1": 0.0,
    "mcd_db": 0.0,
    "lsd_db": 0.0,
    "f0_rmse_cents": 0.0,
    "voicing_error_percent": 0.0,
    "speaker_similarity": pytest.approx(1.0, abs=1e-5),
}


def metrics_named(key: str) -> list[Metric]:
    return [metric for metric in METRICS if metric.key == key]


def needs(metric: Metric) -> None:
    if reason := metric.missing():
        pytest.skip(reason)


metrics = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)


@pytest.fixture(scope="module")
def speech() -> Audio:
    return read_speech(CLIP)


@pytest.fixture(scope="module")
def noise(speech: Audio) -> Audio:
    """As loud as the speech."""
    white = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    return white * np.sqrt(np.square(speech).mean() / np.square(white).mean())


def score(metric: Metric, reference: Audio, decoded: Audio) -> float:
    needs(metric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the packages', about their own age
        return measure(reference, decoded, [metric])[metric.key]


def loss(metric: Metric, reference: Audio, decoded: Audio) -> float:
    """Larger is worse, whichever way the metric runs."""
    found = score(metric, reference, decoded)
    return -found if metric.better == "higher" else found


@metrics
def test_a_clip_compared_with_itself_is_perfect(metric: Metric, speech: Audio) -> None:
    assert score(metric, speech, speech) == PERFECT[metric.key]


@metrics
def test_a_delayed_copy_is_perfect_once_its_delay_is_taken_out(metric: Metric, speech: Audio) -> None:
    late = np.pad(speech, (431, 0))
    delay = delay_samples(speech, late)
    assert delay == 431
    assert score(metric, *aligned(speech, late, delay)) == PERFECT[metric.key]


@metrics
def test_more_noise_is_worse_than_less_and_less_than_none(
    metric: Metric, speech: Audio, noise: Audio
) -> None:
    losses = [loss(metric, speech, speech + level * noise) for level in (0.0, 0.03, 0.3)]
    assert losses[0] < losses[1] < losses[2]


@metrics
def test_a_low_passed_copy_lies_between_the_original_and_one_with_half_the_band(
    metric: Metric, speech: Audio
) -> None:
    def low_passed(rate_hz: int) -> Audio:
        return resampled(resampled(speech, RATE_HZ, rate_hz), rate_hz, RATE_HZ)

    losses = [loss(metric, speech, audio) for audio in (speech, low_passed(8000), low_passed(2000))]
    assert losses[0] <= losses[1] <= losses[2]
    if metric.needs != "pyworld":  # pitch is all in the part that is left
        assert losses[0] < losses[1] < losses[2]


def test_pesq_equals_its_package(speech: Audio, noise: Audio) -> None:
    pesq = pytest.importorskip("pesq")
    noisy = speech + 0.1 * noise
    assert measure(speech, noisy, metrics_named("pesq_wb"))["pesq_wb"] == pesq.pesq(
        16000, speech, noisy, "wb"
    )


@pytest.mark.parametrize(("key", "extended"), [("stoi", False), ("estoi", True)])
def test_intelligibility_equals_its_package(key: str, extended: bool, speech: Audio, noise: Audio) -> None:
    pystoi = pytest.importorskip("pystoi")
    noisy = speech + 0.1 * noise
    # Not the same to the last digit: the package adds a little noise of its own to ESTOI.
    expected = pystoi.stoi(speech, noisy, 16000, extended=extended)
    assert measure(speech, noisy, metrics_named(key))[key] == pytest.approx(expected, abs=1e-9)


def test_a_level_change_is_its_decibels_in_spectra_and_nothing_in_cepstra() -> None:
    tone = (0.1 * np.random.default_rng(1).standard_normal(RATE_HZ)).astype(np.float32)
    found = measure(tone, tone * np.float32(0.5), [metric for metric in METRICS if metric.needs is None])
    assert found["log_mel_l1"] == pytest.approx(math.log(2), rel=1e-3)
    assert found["lsd_db"] == pytest.approx(20 * math.log10(2), rel=1e-3)
    assert found["mcd_db"] == pytest.approx(0, abs=1e-2)


def test_cepstral_distortion_is_the_rms_decibels_of_one_cosine_across_the_bands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wave_db = 6 * np.cos(np.pi * 3 * (np.arange(80) + 0.5) / 80)
    # Clips whose samples stand for the level of that cosine in their mel.
    monkeypatch.setattr(
        Speech, "log_mel", property(lambda speech: speech.audio[:, None] * wave_db * math.log(10) / 20)
    )
    flat, waved = Speech(np.zeros(5, np.float32)), Speech(np.ones(5, np.float32))
    assert mel_cepstral_distortion(flat, waved) == pytest.approx(6 / math.sqrt(2))


@pytest.mark.parametrize(
    "audio",
    [np.zeros(RATE_HZ, np.float32), np.zeros(0, np.float32), np.full(50, 0.1, np.float32)],
    ids=["silence", "nothing", "three milliseconds"],
)
def test_what_is_not_defined_is_nan_and_raises_nothing(audio: Audio) -> None:
    present = [metric for metric in METRICS if not metric.missing()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure(audio, audio, present)
    assert all(isinstance(value, float) for value in found.values())
    assert math.isnan(found.get("stoi", math.nan))


def test_a_metric_without_its_package_says_which(tmp_path: Path) -> None:
    from dataclasses import replace

    reason = replace(METRICS[0], needs="no_such_package").missing()
    assert reason is not None and "no_such_package" in reason and "melcodec[eval]" in reason


@pytest.mark.parametrize("delay", [0, 7, -160, 1000, -3000])
def test_the_delay_of_speech_is_found_to_the_sample(delay: int, speech: Audio) -> None:
    shifted = np.pad(speech, (delay, 0)) if delay >= 0 else speech[-delay:]
    assert delay_samples(speech, shifted) == delay
    before, after = aligned(speech, shifted, delay)
    shared = min(len(before), len(after))
    assert np.array_equal(before[:shared], after[:shared])


def test_the_delay_of_silence_is_none() -> None:
    assert delay_samples(np.zeros(1600, np.float32), np.zeros(1600, np.float32)) == 0


def test_a_system_has_the_delay_of_its_middle_clip_and_none_below_a_millisecond() -> None:
    assert constant_delay([300, 310, 2900]) == 310
    assert constant_delay([-15, 15, 4]) == 0
