"""Rates, lengths and channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melcodec_cli.audio import Resampler, resampled_length
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.resample import resampled

RATES_HZ = [4_000, 8_000, 11_025, 16_000, 22_050, 37_813, 44_100, 48_000, 96_000, 384_000]
LENGTHS = [0, 1, 2, 159, 160, 161, 441, 4_999]


def noise(samples: int, channels: int = 1) -> Samples:
    return np.random.default_rng(samples).uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)


def resample(block: Samples, rate_in_hz: int, rate_out_hz: int, cuts: list[int] | None = None) -> Samples:
    resampler = Resampler(rate_in_hz, rate_out_hz, block.shape[1])
    pieces = [resampler.process(piece) for piece in np.split(block, cuts or [])]
    return np.concatenate([*pieces, resampler.flush()])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("direction", ["to the model", "from the model"])
def test_length_is_rounded_up(rate_hz: int, direction: str) -> None:
    rates = (rate_hz, 16_000) if direction == "to the model" else (16_000, rate_hz)
    for samples in LENGTHS:
        expected = int(np.ceil(samples * rates[1] / rates[0]))
        assert len(resample(noise(samples), *rates)) == resampled_length(samples, *rates) == expected


@pytest.mark.parametrize("rate_hz", [rate for rate in RATES_HZ if rate != 16_000])
def test_streamed_is_the_same_as_whole(rate_hz: int) -> None:
    block = noise(4_999, 2)
    whole = resampled(block, rate_hz, 16_000)
    streamed = resample(block, rate_hz, 16_000, cuts=[1, 2, 9, 700, 701, 4_998])
    common = min(len(whole), len(streamed))
    assert abs(len(whole) - len(streamed)) <= 1
    np.testing.assert_array_equal(streamed[:common], whole[:common])


@given(cuts=st.lists(st.integers(0, 3_000), max_size=20).map(sorted), rate=st.sampled_from(RATES_HZ))
@settings(max_examples=30, deadline=None)
def test_cutting_elsewhere_changes_nothing(cuts: list[int], rate: int) -> None:
    block = noise(3_000)
    np.testing.assert_array_equal(resample(block, rate, 16_000, cuts), resample(block, rate, 16_000))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("samples", LENGTHS)
def test_way_to_the_model_and_back_covers_every_sample(rate_hz: int, samples: int) -> None:
    there = resampled_length(samples, rate_hz, 16_000)
    assert resampled_length(there, 16_000, rate_hz) >= samples


def test_equal_rates_pass_untouched() -> None:
    block = noise(500, 3)
    assert Resampler(16_000, 16_000, 3).process(block) is block
    assert len(resample(block, 16_000, 16_000, [0, 13])) == 500


def test_tone_keeps_its_pitch_and_loudness() -> None:
    time_s = np.arange(48_000)[:, None] / 48_000
    low = resample(np.sin(2 * np.pi * 440 * time_s).astype(np.float32), 48_000, 16_000)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(low[500:-500, 0] - expected[500:-500]).max() < 1e-3


@pytest.mark.parametrize("rate_hz", [24_000, 44_100, 48_000])
def test_speech_keeps_its_band_to_a_wider_rate_and_back(rate_hz: int) -> None:
    """Above 98 % of half the rate some is lost, and above half the rate nothing is added."""
    block = noise(160_000)
    wide = resample(block, 16_000, rate_hz)

    def level_db(samples: Samples, rate_hz: int, low_hz: int, high_hz: int) -> float:
        power = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples)))) ** 2 / len(samples) / rate_hz
        return float(
            10 * np.log10(power[low_hz * len(samples) // rate_hz : high_hz * len(samples) // rate_hz].mean())
        )

    kept, made = (level_db(wide, rate_hz, *band) for band in ((7_000, 7_800), (8_100, rate_hz // 2)))
    back = level_db(resample(wide, rate_hz, 16_000), 16_000, 7_000, 7_800)
    assert kept == pytest.approx(level_db(wide, rate_hz, 1_000, 7_000), abs=0.3)
    assert back == pytest.approx(level_db(block, 16_000, 7_000, 7_800), abs=0.1)
    assert made < kept - 60
