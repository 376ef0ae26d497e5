"""Likeness on speech whose damage is known: nothing, a delay, a low-pass, noise at two levels."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from melcodec_cli.evaluate.clips import BUILT_IN, read_original, read_speech
from melcodec_cli.evaluate.delay import aligned, constant_delay, delay_samples
from melcodec_cli.evaluate.likeness import mel_cepstral_distortion
from melcodec_cli.evaluate.metrics import LIKENESS, METRICS, Metric, Score, measure, suited_to
from melcodec_cli.evaluate.speech import FULL_RATE_HZ, RATE_HZ, Audio, Speech, resampled

pytestmark = pytest.mark.slow

CLIP = BUILT_IN / "speechocean762-010440053.opus"
FULL_BAND = [metric for metric in LIKENESS if metric.full_band]
PERFECT = {
    "pesq_wb": pytest.approx(4.644, abs=1e-3),
    "stoi": pytest.approx(1.0),
    "estoi": pytest.approx(1.0),
    "log_mel_l1": 0.0,
    "mcd_db": 0.0,
    "lsd_db": 0.0,
    "level_db": 0.0,
    "full_log_mel_l1": 0.0,
    "full_mcd_db": 0.0,
    "full_lsd_db": 0.0,
    "energy_8k_16k_db": 0.0,
    "energy_16k_24k_db": 0.0,
    "f0_rmse_cents": 0.0,
    "voicing_error_percent": 0.0,
    "speaker_similarity": pytest.approx(1.0, abs=1e-5),
}


def metrics_named(key: str) -> list[Metric]:
    return [metric for metric in METRICS if metric.key == key]


def needs(metric: Metric) -> None:
    if reason := metric.missing():
        pytest.skip(reason)


def each_of(metrics: Sequence[Metric]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("metric", metrics, ids=lambda metric: metric.key)


metrics = each_of([metric for metric in LIKENESS if not metric.full_band])


@pytest.fixture(scope="module")
def speech() -> Audio:
    return read_speech(CLIP)


@pytest.fixture(scope="module")
def full_speech(speech: Audio) -> Audio:
    """At 48 kHz, with something above 8 kHz that is loud where the speech is."""
    wide = resampled(speech, RATE_HZ, FULL_RATE_HZ)
    return wide + 0.1 * wide * np.random.default_rng(2).standard_normal(len(wide)).astype(np.float32)


@pytest.fixture(scope="module")
def noise(speech: Audio) -> Audio:
    """As loud as the speech."""
    white = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    return white * np.sqrt(np.square(speech).mean() / np.square(white).mean())


def score(metric: Metric, reference: Audio, decoded: Audio, rate_hz: int = RATE_HZ) -> float:
    needs(metric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the packages', about their own age
        return float(measure(Speech(reference, rate_hz), Speech(decoded, rate_hz), [metric])[metric.key])


def loss(metric: Metric, reference: Audio, decoded: Audio, rate_hz: int = RATE_HZ) -> float:
    """Larger is worse, whichever way the metric runs."""
    found = score(metric, reference, decoded, rate_hz)
    return {"higher": -found, "lower": found, "zero": abs(found)}[metric.better]


@metrics
def test_a_clip_compared_with_itself_is_perfect(metric: Metric, speech: Audio) -> None:
    assert score(metric, speech, speech) == PERFECT[metric.key]


@metrics
def test_a_delayed_copy_is_perfect_once_its_delay_is_taken_out(metric: Metric, speech: Audio) -> None:
    late = np.pad(speech, (431, 0))
    delay = delay_samples(speech, late)
    assert delay == 431
    before, after = aligned(Speech(speech), Speech(late), delay)
    assert score(metric, before.sound, after.sound) == PERFECT[metric.key]


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
    found = measure(Speech(speech), Speech(noisy), metrics_named("pesq_wb"))
    assert found["pesq_wb"] == pesq.pesq(16000, speech, noisy, "wb")


@pytest.mark.parametrize(("key", "extended"), [("stoi", False), ("estoi", True)])
def test_intelligibility_equals_its_package(key: str, extended: bool, speech: Audio, noise: Audio) -> None:
    pystoi = pytest.importorskip("pystoi")
    noisy = speech + 0.1 * noise
    # Not the same to the last digit: the package adds a little noise of its own to ESTOI.
    expected = pystoi.stoi(speech, noisy, 16000, extended=extended)
    found = measure(Speech(speech), Speech(noisy), metrics_named(key))
    assert found[key] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", ["pesq_wb", "stoi", "log_mel_l1", "mcd_db", "lsd_db"])
def test_of_48_khz_the_other_metrics_see_the_version_at_16_khz(
    metric: str, full_speech: Audio, noise: Audio
) -> None:
    (found,) = metrics_named(metric)
    noisy = full_speech + 0.3 * resampled(noise, RATE_HZ, FULL_RATE_HZ)
    halved = [resampled(each, FULL_RATE_HZ, RATE_HZ) for each in (full_speech, noisy)]
    assert score(found, full_speech, noisy, FULL_RATE_HZ) == score(found, halved[0], halved[1])


@each_of(FULL_BAND)
def test_the_full_band_is_measured_where_there_is_one(
    metric: Metric, speech: Audio, full_speech: Audio
) -> None:
    assert math.isnan(score(metric, speech, speech))
    assert score(metric, full_speech, full_speech, FULL_RATE_HZ) == PERFECT[metric.key]
    late = np.pad(full_speech, (1293, 0))
    before, after = aligned(Speech(full_speech, FULL_RATE_HZ), Speech(late, FULL_RATE_HZ), 431)
    assert score(metric, before.sound, after.sound, FULL_RATE_HZ) == PERFECT[metric.key]
    noise = 0.01 * np.random.default_rng(3).standard_normal(len(full_speech)).astype(np.float32)
    losses = [loss(metric, full_speech, full_speech + level * noise, FULL_RATE_HZ) for level in (0.1, 1)]
    assert 0 < losses[0] < losses[1]


@each_of(FULL_BAND)
def test_what_16_khz_leaves_of_the_full_band_lies_between_all_and_the_telephone(
    metric: Metric, full_speech: Audio
) -> None:
    def low_passed(rate_hz: int) -> Audio:
        return resampled(resampled(full_speech, FULL_RATE_HZ, rate_hz), rate_hz, FULL_RATE_HZ)[
            : len(full_speech)
        ]

    losses = [
        loss(metric, full_speech, each, FULL_RATE_HZ)
        for each in (full_speech, low_passed(16000), low_passed(8000))
    ]
    assert losses[0] < losses[1]
    assert (
        losses[1] < losses[2] if metric.better == "lower" else losses[1] == pytest.approx(losses[2], abs=0.5)
    )


def test_the_energy_of_an_octave_is_in_decibels_less_the_originals(full_speech: Audio) -> None:
    def tones(*levels: float) -> Audio:
        times_s = np.arange(FULL_RATE_HZ) / FULL_RATE_HZ
        waves = [
            level * np.sin(2 * np.pi * hz * times_s)
            for level, hz in zip(levels, (1000, 12000, 20000), strict=True)
        ]
        return np.sum(waves, axis=0).astype(np.float32)

    found = measure(
        Speech(tones(0.3, 0.1, 0.1), FULL_RATE_HZ), Speech(tones(0.1, 0.2, 0.01), FULL_RATE_HZ), FULL_BAND
    )
    assert found["energy_8k_16k_db"] == pytest.approx(20 * math.log10(2), abs=0.01)
    assert found["energy_16k_24k_db"] == pytest.approx(-20, abs=0.01)


def test_music_at_44_1_khz_is_measured_up_to_its_end(tmp_path: Path) -> None:
    """A chord that loses only its note at 18 kHz, which no figure up to 8 kHz may notice."""
    times_s = np.arange(44100) / 44100
    notes = [0.1 * np.hanning(44100) * np.sin(2 * np.pi * hz * times_s) for hz in (440, 1000, 18000)]
    hall = 1e-3 * np.random.default_rng(0).standard_normal(44100)
    for name, chord in (("whole", notes), ("dull", notes[:2])):
        soundfile.write(tmp_path / f"{name}.wav", hall + np.sum(chord, axis=0), 44100, "FLOAT")
    whole, dull = (read_original(tmp_path / f"{name}.wav") for name in ("whole", "dull"))
    assert whole.rate_hz == dull.rate_hz == len(whole.sound) == FULL_RATE_HZ
    unneeding = [metric for metric in suited_to("music", LIKENESS) if metric.needs is None]
    found = {key: float(score) for key, score in measure(whole, dull, unneeding).items()}
    assert all(found[key] < 0.01 for key in ("log_mel_l1", "mcd_db", "lsd_db"))
    assert all(found[key] > 0.05 for key in ("full_log_mel_l1", "full_mcd_db", "full_lsd_db"))
    assert found["level_db"] == pytest.approx(10 * math.log10(2 / 3), abs=0.01)  # of three equal notes
    assert found["energy_16k_24k_db"] < -30 < -1 < found["energy_8k_16k_db"] < 1


def test_of_music_only_what_is_not_about_voices_is_measured() -> None:
    assert suited_to("speech", METRICS) == list(METRICS)
    keys = [metric.key for metric in suited_to("music", METRICS)]
    assert keys == [metric.key for metric in suited_to("sound", METRICS)]
    assert {"log_mel_l1", "mcd_db", "lsd_db", "visqol_audio"} <= set(keys)
    voices = ("pesq", "stoi", "speaker", "voic", "f0", "word", "phone", "dnsmos", "harvest", "visqol_speech")
    assert not [key for key in keys if any(voice in key for voice in voices)]


def test_an_octave_without_anything_is_as_loud_as_the_rounding_of_16_bits() -> None:
    silent = Speech(np.zeros(FULL_RATE_HZ, np.float32), FULL_RATE_HZ)
    rounding = (np.random.default_rng(4).uniform(-0.5, 0.5, FULL_RATE_HZ) / 32768).astype(np.float32)
    assert silent.band_power_db(8000, 16000) == pytest.approx(
        Speech(rounding, FULL_RATE_HZ).band_power_db(8000, 16000), abs=0.2
    )


def test_a_level_change_is_its_decibels_in_spectra_and_nothing_in_cepstra() -> None:
    tone = (0.1 * np.random.default_rng(1).standard_normal(RATE_HZ)).astype(np.float32)
    unneeding = [metric for metric in LIKENESS if metric.needs is None]
    found = measure(Speech(tone), Speech(tone * np.float32(0.5)), unneeding)
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
@pytest.mark.parametrize("rate_hz", [RATE_HZ, FULL_RATE_HZ])
def test_what_is_not_defined_is_nan_and_raises_nothing(audio: Audio, rate_hz: int) -> None:
    present = [metric for metric in METRICS if not metric.missing()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure(Speech(audio, rate_hz), Speech(audio, rate_hz), present)
    assert all(isinstance(value, Score) for value in found.values())
    assert math.isnan(found.get("stoi", math.nan))


def test_a_metric_without_its_package_says_which(tmp_path: Path) -> None:
    from dataclasses import replace

    reason = replace(METRICS[0], needs="no_such_package").missing()
    assert reason is not None and "no_such_package" in reason and "melcodec[eval]" in reason


@pytest.mark.parametrize("delay", [0, 7, -160, 1000, -3000])
def test_the_delay_of_speech_is_found_to_the_sample(delay: int, speech: Audio) -> None:
    shifted = np.pad(speech, (delay, 0)) if delay >= 0 else speech[-delay:]
    assert delay_samples(speech, shifted) == delay
    before, after = (each.sound for each in aligned(Speech(speech), Speech(shifted), delay))
    shared = min(len(before), len(after))
    assert np.array_equal(before[:shared], after[:shared])


def test_the_delay_of_silence_is_none() -> None:
    assert delay_samples(np.zeros(1600, np.float32), np.zeros(1600, np.float32)) == 0


def test_a_system_has_the_delay_of_its_middle_clip_and_none_below_two_milliseconds() -> None:
    assert constant_delay([300, 310, 2900]) == 310
    assert constant_delay([-30, -25, 4]) == 0
    assert constant_delay([-35, -33, 4]) == -33
