"""The detector of voices, on sounds that are clearly one or the other."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from melcodec_cli.audio.voice import HEARD_S, LEAST_S, VoiceDetector, band_levels_db, clues, voice_log_odds
from melcodec_cli.evaluate.clip import CLIP
from melcodec_cli.evaluate.clips import BUILT_IN, read_speech
from melcodec_cli.evaluate.speech import resampled

Audio = NDArray[np.float32]
RATES_HZ = (8000, 16000, 44100)


def verdict(audio: Audio, rate_hz: int) -> bool | None:
    detector = VoiceDetector(rate_hz)
    detector.hear(audio)
    return detector.is_voice()


def melody(seconds: float, rate_hz: int) -> Audio:
    """Chords of four decaying notes with overtones, two a second."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    beat, into_s = (times_s // 0.5).astype(int), times_s % 0.5
    roots_hz = 220 * 2 ** (np.array([0, 5, 7, 3])[beat % 4] / 12)
    notes = [
        np.sin(2 * np.pi * roots_hz * factor * overtone * into_s) / overtone
        for factor in (1, 1.26, 1.5, 2)
        for overtone in (1, 2, 3)
    ]
    return (0.05 * np.exp(-2 * into_s) * np.sum(notes, axis=0)).astype(np.float32)


def white_noise(seconds: float, rate_hz: int) -> Audio:
    samples = round(seconds * rate_hz)
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_speech_is_a_voice_at_every_rate(rate_hz: int) -> None:
    assert verdict(read_speech(CLIP, rate_hz), rate_hz) is True


def test_every_built_in_clip_that_is_long_enough_is_a_voice() -> None:
    verdicts = [verdict(read_speech(path), 16000) for path in sorted(BUILT_IN.glob("*.opus"))]
    assert set(verdicts) - {None} == {True} and verdicts.count(True) >= 6


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("make", [melody, white_noise], ids=["music", "noise"])
def test_music_and_noise_are_none_at_any_rate(make: Callable[[float, int], Audio], rate_hz: int) -> None:
    assert verdict(make(6, rate_hz), rate_hz) is False


def test_a_quiet_voice_is_a_voice_and_silence_is_nothing() -> None:
    speech = read_speech(CLIP)
    assert verdict(speech / np.float32(50), 16000) is True
    assert verdict(np.zeros(160_000, np.float32), 16000) is None


def test_too_little_says_nothing() -> None:
    for audio in (read_speech(CLIP), white_noise(LEAST_S, 16000)):
        assert verdict(audio[: round(LEAST_S * 16000) - 1], 16000) is None
    assert VoiceDetector(16000).is_voice() is None


def test_pieces_are_heard_like_the_whole_and_what_follows_20_seconds_is_not() -> None:
    speech = np.resize(read_speech(CLIP), round(HEARD_S * 16000))
    detector = VoiceDetector(16000)
    for piece in np.split(speech, [1, 300, 100_000]):
        assert not detector.heard_enough
        detector.hear(piece)
    assert detector.heard_enough
    detector.hear(10 * white_noise(60, 16000))
    assert detector.is_voice() is verdict(speech, 16000) is True


def test_the_bandwidth_of_a_recording_hardly_matters() -> None:
    speech = read_speech(CLIP)
    narrow = resampled(resampled(speech, 16000, 8000), 8000, 16000)[: len(speech)]
    wide, telephone = (voice_log_odds(clues(band_levels_db(each, 16000))) for each in (speech, narrow))
    assert wide == pytest.approx(telephone, abs=1.0)
