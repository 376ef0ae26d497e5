"""Mixing many channels to one: each channel's speaker and loudness, and that streams and files agree."""

import io
import shutil
import struct
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melcodec_cli.audio import mix_down, open_source
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.speakers import NOWHERE, OGG, USUAL, WEIGHTS, how_mixed, speakers_of_mask

Encoded = Callable[..., bytes]


def level_db(one: Samples, other: Samples) -> float:
    return float(10 * np.log10(np.mean(one**2) / np.mean(other**2)))


def voice(samples: int = 16_000) -> Samples:
    sound = np.random.default_rng(7).standard_normal(samples)
    return (sound / np.abs(sound).max()).astype(np.float32)


def test_one_channel_is_left_alone_and_two_become_their_mean() -> None:
    block = np.array([[1, 1], [1, -1], [0.25, 0.5]], np.float32)
    assert mix_down(block).tolist() == [[1], [0], [0.375]]
    assert mix_down(block, ("centre", "LFE")).tolist() == [[1], [0], [0.375]]
    assert mix_down(block[:, :1]).base is block
    for channels in range(1, 9):
        assert mix_down(np.zeros((0, channels), np.float32)).shape == (0, 1)


@pytest.mark.parametrize("order", [USUAL, OGG], ids=["wav", "ogg"])
@pytest.mark.parametrize("channels", [3, 5, 6, 7, 8])
def test_a_voice_in_the_centre_alone_keeps_its_loudness_within_3_db(
    channels: int, order: dict[int, tuple[str, ...]]
) -> None:
    block = np.zeros((16_000, channels), np.float32)
    block[:, order[channels].index("centre")] = voice()
    assert level_db(mix_down(block, order[channels])[:, 0], voice()) == pytest.approx(-3, abs=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", range(3, 9))
def test_a_voice_in_front_is_as_loud_as_in_stereo(channels: int) -> None:
    block = np.zeros((16_000, channels), np.float32)
    block[:, :2] = 0.5 * voice()[:, None]
    np.testing.assert_allclose(mix_down(block)[:, 0], 0.5 * voice(), atol=1e-6)


@pytest.mark.parametrize("channels", range(2, 9))
@pytest.mark.parametrize("sign", [1, -1])
def test_nothing_clips_when_all_channels_are_at_full_scale(channels: int, sign: int) -> None:
    mixed = mix_down(np.full((3, channels), sign, np.float32))
    assert (np.abs(mixed) <= 1).all() and (np.sign(mixed) == sign).all() and (np.abs(mixed) > 0.8).all()


@pytest.mark.parametrize("channels", [6, 7, 8])
def test_low_frequency_effects_are_left_out(channels: int) -> None:
    block = np.zeros((10, channels), np.float32)
    block[:, 3] = 1
    assert not mix_down(block).any()


def test_louder_stays_louder_up_to_full_scale() -> None:
    sizes = np.linspace(0, 3, 10_000, dtype=np.float32)[:, None]
    mixed = mix_down(np.hstack([sizes, sizes, sizes]))[:, 0]
    assert (np.diff(mixed) > 0).all() and np.diff(mixed).max() < 2 * 3 / 10_000


@given(st.lists(st.integers(0, 500), max_size=9).map(sorted), st.integers(2, 8))
def test_cutting_elsewhere_changes_nothing(cuts: list[int], channels: int) -> None:
    block = np.random.default_rng(channels).uniform(-1, 1, (500, channels)).astype(np.float32)
    pieces = [mix_down(piece) for piece in np.split(block, cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), mix_down(block))


@pytest.mark.parametrize(
    ("mask", "channels", "speakers"),
    [
        (0x3F, 6, USUAL[6]),
        (0x60F, 6, USUAL[6]),
        (0xB, 3, ("front", "front", "LFE")),
        (0x107, 4, ("front", "front", "centre", "surround")),
        (0xFF, 8, ("front", "front", "centre", "LFE", "surround", "surround", "front", "front")),
        (0, 6, NOWHERE),
        (0x3, 6, USUAL[6]),  # which does not fit
        (0x80000000, 3, USUAL[3]),
    ],
)
def test_the_mask_of_a_wav_file_says_where_its_channels_go(
    mask: int, channels: int, speakers: tuple[str, ...], encoded: Encoded
) -> None:
    assert speakers_of_mask(mask, channels) == speakers
    data = bytearray(encoded(np.zeros((10, channels), np.float32)))
    struct.pack_into("<I", data, data.index(b"fmt ") + 28, mask)
    assert open_source(io.BytesIO(data)).speakers == speakers


def test_without_a_mask_the_order_is_the_usual_one_of_the_format(encoded: Encoded) -> None:
    block = np.zeros((4_000, 6), np.float32)
    for form, speakers in (("flac", USUAL[6]), ("ogg", OGG[6]), ("wav", USUAL[6])):
        assert open_source(io.BytesIO(encoded(block, form))).speakers == speakers


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        *product(["a.wav", "a.flac", "a.ogg", "a.opus", "a.aiff", "a.caf"], ["5.1", "7.1"]),
        *product(["a.wav", "a.flac", "a.ogg", "a.aiff", "a.caf"], ["5.0", "6.1"]),  # ffmpeg mixes up Opus's
    ],
)
def test_the_centre_is_found_in_what_others_write(name: str, layout: str, tmp_path: Path) -> None:
    filters = f"aevalsrc=0.5*sin(2000*t):s=48000:d=0.5,pan={layout}|FC=c0"
    made = tmp_path / name
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", filters, str(made)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this ffmpeg cannot write it")
    with open_source(made) as source:
        mixed = np.concatenate([mix_down(block, source.speakers) for block in source.blocks(48_000)])
    assert np.abs(mixed).max() == pytest.approx(0.5 * WEIGHTS["centre"], rel=0.1)


@pytest.mark.parametrize(
    ("channels", "speakers", "words"),
    [
        (2, USUAL[2], "2 channels are mixed down to one"),
        (
            6,
            USUAL[6],
            "6 channels are mixed down to one (centre 0.71, front 0.50, surround 0.35, LFE left out)",
        ),
        (4, USUAL[4], "4 channels are mixed down to one (front 0.50, surround 0.35)"),
        (4, NOWHERE, "4 channels without speaker positions are mixed down to their mean"),
    ],
)
def test_how_channels_are_mixed_is_reported(channels: int, speakers: tuple[str, ...], words: str) -> None:
    assert how_mixed(channels, speakers) == words  # type: ignore[arg-type]
