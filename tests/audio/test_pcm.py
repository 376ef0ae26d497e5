"""Samples to bytes and back."""

import numpy as np
import pytest

from melcodec_cli.audio import RawFormat
from melcodec_cli.audio.pcm import ABSURD, LOUDEST, Encoding, decode, encode, first_unsound, scrub
from melcodec_cli.audio.raw import ENCODINGS, encoding_named
from melcodec_cli.errors import UsageProblem


@pytest.mark.parametrize("name", [name for name in ENCODINGS if name[1:3] in ("8", "16", "24")])
def test_integers_of_up_to_24_bits_survive_unchanged(name: str) -> None:
    encoding = ENCODINGS[name]
    data = np.random.default_rng(1).integers(0, 256, 24_000, np.uint8).tobytes()
    extremes = b"\x80\0\0\x7f\xff\xff" + b"\0\0\x80\xff\xff\x7f" + bytes(6) + b"\xff" * 6
    assert encode(decode(data + extremes, encoding), encoding) == data + extremes


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_brings_the_samples_back_as_well_as_its_bits_allow(name: str) -> None:
    encoding = ENCODINGS[name]
    samples = np.linspace(-1, 1, 10_001, dtype=np.float32)[:-1]
    step = 2.0 ** (1 - encoding.bits) if encoding.kind != "f" else 0
    assert np.abs(decode(encode(samples, encoding), encoding) - samples).max() <= max(step, 2**-31)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("u8", b"\x00\x80\xc0"),
        ("s8", b"\x80\x00\x40"),
        ("s16le", b"\x00\x80\x00\x00\x00\x40"),
        ("s16be", b"\x80\x00\x00\x00\x40\x00"),
        ("s24le", b"\x00\x00\x80\x00\x00\x00\x00\x00\x40"),
        ("s24be", b"\x80\x00\x00\x00\x00\x00\x40\x00\x00"),
        ("s32le", b"\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x40"),
        ("s32be", b"\x80\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00"),
    ],
)
def test_known_bytes_are_known_values(name: str, data: bytes) -> None:
    assert decode(data, ENCODINGS[name]).tolist() == [-1, 0, 0.5]
    assert encode(np.array([-1, 0, 0.5], np.float32), ENCODINGS[name]) == data


@pytest.mark.parametrize("name", [name for name in ENCODINGS if name[0] != "f"])
def test_full_scale_clips_and_never_wraps(name: str) -> None:
    loud = np.array([1, 1.5, 1e5, -1, -1.5, -1e5], np.float32)
    back = decode(encode(loud, ENCODINGS[name]), ENCODINGS[name])
    assert (np.abs(back) > 0.99).all()
    assert (np.sign(back) == np.sign(loud)).all()


def test_floats_beyond_full_scale_are_kept() -> None:
    loud = np.array([1.5, -3], np.float32)
    assert decode(encode(loud, ENCODINGS["f32le"]), ENCODINGS["f32le"]).tolist() == [1.5, -3]


def test_rounding_is_to_nearest() -> None:
    steps = np.array([0.4, 0.6, -0.4, -0.6], np.float32) / np.float32(32768)
    assert np.frombuffer(encode(steps, Encoding("i", 16)), "<i2").tolist() == [0, 1, 0, -1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.001 * LOUDEST, -1e30])
def test_the_first_sample_that_is_not_sound_is_found(value: float) -> None:
    block = np.full((5, 2), LOUDEST, np.float32)
    assert first_unsound(block) is None and first_unsound(block[:0]) is None
    block[3, 1] = value
    block[4, 0] = np.nan
    unsound = first_unsound(block)
    assert unsound is not None and unsound[0] == 3
    np.testing.assert_equal(unsound[1], float(np.float32(value)))


def test_samples_that_are_not_sound_become_silence() -> None:
    samples = np.array([0.5, np.nan, np.inf, -np.inf, 2 * ABSURD, -2 * ABSURD, ABSURD, -0.5], np.float32)
    assert scrub(samples).tolist() == [0.5, 0, 0, 0, 0, 0, ABSURD, -0.5]


def test_double_too_large_for_float32_becomes_silence() -> None:
    assert scrub(decode(np.array([1e300, 0.25], np.float64).tobytes(), ENCODINGS["f64le"])).tolist() == [
        0,
        0.25,
    ]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("s16", "s16le"), ("S16_LE", "s16le"), ("s24-be", "s24be"), ("U8", "u8"), ("f32", "f32le")],
)
def test_encodings_have_the_names_of_other_tools(name: str, canonical: str) -> None:
    assert encoding_named(name) is ENCODINGS[canonical]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"encoding": "s20"}, "unknown raw encoding 's20'; known encodings: u8"),
        ({"rate_hz": 3_999}, "outside 4000 to 384000"),
        ({"rate_hz": 384_001}, "outside 4000 to 384000"),
        ({"channels": 0}, "outside 1 to 8"),
        ({"channels": 9}, "outside 1 to 8"),
    ],
    ids=["encoding", "slow", "fast", "no channel", "nine channels"],
)
def test_impossible_raw_format_is_a_usage_problem(form: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageProblem, match=problem):
        RawFormat(**{"rate_hz": 16_000, **form})  # type: ignore[arg-type]
