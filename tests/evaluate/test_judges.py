"""The judges on speech whose damage is known, against their own packages, and independent of what they heard before."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from melcodec_cli.evaluate import harvest, recognition
from melcodec_cli.evaluate.clips import BUILT_IN, read_speech
from melcodec_cli.evaluate.metrics import JUDGES, Metric, measure
from melcodec_cli.evaluate.recognition import edit_distance, phones, words
from melcodec_cli.evaluate.speech import FULL_RATE_HZ, RATE_HZ, Audio, Speech, resampled
from melcodec_cli.evaluate.statistics import Share

pytestmark = pytest.mark.slow

CLIP = BUILT_IN / "speechocean762-027400171.opus"
BY_KEY = {metric.key: metric for metric in JUDGES}
HEARD_ALONE = [metric for metric in JUDGES if metric.needs == "speechmos.dnsmos"]
COMPARING = [metric for metric in JUDGES if metric not in HEARD_ALONE and not metric.full_band]


def score(key: str, reference: Speech, decoded: Speech) -> float:
    metric = BY_KEY[key]
    if reason := metric.missing():
        pytest.skip(reason)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the packages', about their own age
        return float(measure(reference, decoded, [metric])[key])


@pytest.fixture(scope="module")
def original() -> Speech:
    """One for all tests: what was found in it is not looked for again."""
    return Speech(read_speech(CLIP))


@pytest.fixture(scope="module")
def noisy(original: Speech) -> Speech:
    noise = np.random.default_rng(0).standard_normal(len(original.audio)).astype(np.float32)
    return Speech(original.audio + 0.5 * noise * np.sqrt(np.square(original.audio).mean()))


@pytest.mark.parametrize("metric", COMPARING, ids=lambda metric: metric.key)
def test_a_clip_compared_with_itself_is_perfect_and_with_noise_is_not(
    metric: Metric, original: Speech, noisy: Speech
) -> None:
    best = {"higher": 5.0, "lower": 0.0}[metric.better]
    assert score(metric.key, original, Speech(original.audio)) == pytest.approx(best)
    found = score(metric.key, original, noisy)
    assert found < best - 0.5 if metric.better == "higher" else found > best + 0.5


@pytest.mark.parametrize("metric", HEARD_ALONE, ids=lambda metric: metric.key)
def test_noise_sounds_less_natural_and_the_original_is_heard_only_for_whether_it_is_silent(
    metric: Metric, original: Speech, noisy: Speech
) -> None:
    clean, damaged = (score(metric.key, original, each) for each in (original, noisy))
    assert 1 <= damaged < clean - 0.2 and clean <= 5
    assert score(metric.key, noisy, original) == clean
    assert math.isnan(score(metric.key, Speech(0 * original.audio), original))


def test_dnsmos_is_what_its_package_says(original: Speech) -> None:
    dnsmos = pytest.importorskip("speechmos.dnsmos")
    expected = dnsmos.run(original.audio, RATE_HZ)
    for key, theirs in [("overall", "ovrl"), ("signal", "sig"), ("background", "bak"), ("p808", "p808")]:
        assert score(f"dnsmos_{key}", original, original) == pytest.approx(
            expected[f"{theirs}_mos"], abs=1e-4
        )


def test_dnsmos_hears_a_loud_recording_that_exceeds_full_scale_once_it_is_resampled() -> None:
    tone = np.sin(np.arange(3 * FULL_RATE_HZ) * 0.05)
    square = Speech(np.sign(tone).astype(np.float32), FULL_RATE_HZ)
    assert np.abs(square.audio).max() > 1
    assert 1 <= score("dnsmos_overall", square, square) <= 5


def test_visqol_is_what_its_package_says_of_the_band_in_question(original: Speech, noisy: Speech) -> None:
    visqol = pytest.importorskip("visqol")
    wide, wide_noisy = (
        Speech(resampled(each.audio, RATE_HZ, FULL_RATE_HZ), FULL_RATE_HZ) for each in (original, noisy)
    )
    for mode, key, pair in [
        ("speech", "visqol_speech", (original, noisy)),
        ("audio", "visqol_audio", (wide, wide_noisy)),
    ]:
        judge = visqol.VisqolApi()
        judge.create(mode=mode, use_lattice_model=False)
        expected = judge.measure_from_arrays(pair[0].sound, pair[1].sound, pair[0].rate_hz).moslqo
        assert score(key, *pair) == pytest.approx(expected)
    assert math.isnan(score("visqol_audio", original, noisy))


@pytest.mark.parametrize("recognise", [words, phones], ids=["words", "phones"])
def test_what_is_recognised_does_not_hang_on_the_clip_before(
    recognise: Callable[[Audio], list[str]], original: Speech, two_clips: list[str]
) -> None:
    pytest.importorskip("pocketsphinx")
    other = read_speech(Path(two_clips[1]))
    first = recognise(original.audio)
    recognise(other)
    assert recognise(original.audio) == first
    assert len(first) >= 5 and all(each == each.strip("<>[]()+") for each in first)


def test_a_recogniser_that_understands_nothing_has_nothing_to_divide_by() -> None:
    pytest.importorskip("pocketsphinx")
    silence = Speech(np.zeros(RATE_HZ, np.float32))
    found = recognition.word_errors(silence, silence)
    assert found == Share(0, 0) and math.isnan(float(found))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("", "", 0),
        ("abc", "abc", 0),
        ("abc", "", 3),
        ("", "ab", 2),
        ("kitten", "sitting", 3),
        ("ab", "ba", 2),
    ],
)
def test_the_edit_distance_counts_insertions_deletions_and_substitutions(
    first: str, second: str, expected: int
) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == expected


def buzz(pitch_hz: float, voiced_s: float) -> Speech:
    """A second, so much of it voiced."""
    times_s = np.arange(RATE_HZ) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * pitch_hz * k * times_s) / k for k in range(1, 20))
    hiss = 1e-3 * np.random.default_rng(1).standard_normal(RATE_HZ)
    return Speech((0.1 * wave * (times_s < voiced_s) + hiss).astype(np.float32))


def test_harvest_tells_a_semitone_an_octave_and_a_missing_voice_apart() -> None:
    pytest.importorskip("pyworld")
    original = buzz(120, 1)
    semitone, octave, half = buzz(120 * 2 ** (1 / 12), 1), buzz(240, 1), buzz(120, 0.5)
    assert harvest.median_cents(original, semitone) == pytest.approx(100, abs=5)
    assert harvest.gross_pitch_error(original, semitone) < 5
    assert harvest.gross_pitch_error(original, octave) > 90
    assert harvest.voicing_disagreement(original, half) == pytest.approx(50, abs=10)
    assert harvest.gross_pitch_error(original, half) < 15  # the voice's end is no pitch


def test_harvest_without_a_voice_in_both_has_no_pitch_to_compare() -> None:
    pytest.importorskip("pyworld")
    silence = Speech(np.zeros(RATE_HZ, np.float32))
    assert math.isnan(harvest.median_cents(silence, buzz(120, 1)))
    assert math.isnan(harvest.gross_pitch_error(silence, silence))
