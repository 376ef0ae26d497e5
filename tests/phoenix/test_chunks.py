"""What a chunk becomes depends on its context alone: not on other chunks, nor on what else is in the batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from melcodec_cli.systems.phoenix.config import Profile
from melcodec_cli.systems.phoenix.harmonic import HarmonicDecoder
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.span import Span
from tests.phoenix.systems import (
    PROFILES,
    SMALL,
    assert_close,
    decoded,
    encoded,
    lively,
    random_indices,
    span_of,
    speechlike,
)  # fmt: skip

FRAMES = 90
# (start, frames): at the beginning, with less context than the warm-up, with all of it, and at the end.
CHUNKS = [(0, 30), (12, 30), (40, 30), (85, 5)]


@pytest.fixture(scope="module", params=["time", "istft", "harmonic"])
def system(request: pytest.FixtureRequest) -> Phoenix:
    return lively(PROFILES[request.param])


@pytest.fixture(scope="module", params=["time", "istft"])
def unvoiced(request: pytest.FixtureRequest) -> Phoenix:
    """A system whose chunks do not begin with a phase of their own."""
    return lively(PROFILES[request.param])


def spans(system: Phoenix, more: int = 0) -> list[Span]:
    """The chunks with the context that the system asks for, and some more."""
    reach = system.decode_reach({})
    return [span_of(FRAMES, *chunk, reach.before + more, reach.after + more) for chunk in CHUNKS]


def test_more_context_than_asked_for_changes_nothing(system: Phoenix) -> None:
    audio = speechlike(FRAMES * system.profile.hop_samples)
    indices = random_indices(FRAMES)
    for usual, more in zip(
        encoded(system, audio, *spans(system)), encoded(system, audio, *spans(system, 9)), strict=True
    ):
        assert np.array_equal(usual, more)
    for one, other in zip(
        decoded(system, indices, *spans(system)), decoded(system, indices, *spans(system, 9)), strict=True
    ):
        assert_close(other, one)


def test_chunks_equal_the_whole_until_the_warm_up_is_over(unvoiced: Phoenix) -> None:
    """Up to there a chunk's context begins where the stream does."""
    system = unvoiced
    audio, whole = speechlike(FRAMES * system.profile.hop_samples), Span(0, FRAMES, 0)
    indices = random_indices(FRAMES)
    [all_indices], [all_audio] = encoded(system, audio, whole), decoded(system, indices, whole)
    hop = system.profile.hop_samples
    for span in spans(system)[:2]:
        [some] = encoded(system, audio, span)
        assert np.array_equal(some, all_indices[span.first : span.first + span.kept])
        [heard] = decoded(system, indices, span)
        assert_close(heard, all_audio[span.first * hop : (span.first + span.kept) * hop])


def test_a_longer_warm_up_comes_closer_to_the_whole(unvoiced: Phoenix) -> None:
    system = unvoiced
    whole = Span(0, FRAMES, 0)
    indices, hop = random_indices(FRAMES), system.profile.hop_samples
    [expected] = decoded(system, indices, whole)
    distances = []
    for warmup in (0, 4, 20):
        other = Phoenix(dataclasses.replace(system.profile, warmup_frames=warmup))
        other.load_state_dict(system.state_dict())
        [heard] = decoded(other, indices, span_of(FRAMES, 50, 30, warmup, 2))
        distances.append(np.abs(heard - expected[50 * hop : 80 * hop]).max())
    assert distances[0] > 2 * distances[1] > 4 * distances[2]


def test_rows_of_unequal_length_are_as_they_are_alone(system: Phoenix) -> None:
    audio = speechlike(FRAMES * system.profile.hop_samples)
    indices = random_indices(FRAMES)
    together = encoded(system, audio, *spans(system))
    alone = [encoded(system, audio, span)[0] for span in spans(system)]
    assert all(np.array_equal(one, other) for one, other in zip(together, alone, strict=True))
    for span, heard in zip(spans(system), decoded(system, indices, *spans(system)), strict=True):
        assert_close(heard, decoded(system, indices, span)[0])


def test_the_reach_is_no_longer_than_needed(system: Phoenix) -> None:
    """The last frame of the look-ahead matters, and the one after it is not seen."""
    reach = system.decode_reach({})
    indices = random_indices(FRAMES)
    changed = indices.copy()
    changed[40 + reach.after - 1] = (changed[40 + reach.after - 1] + 1) % 64
    span = span_of(FRAMES, 0, 40, 0, reach.after)
    [one], [other] = decoded(system, indices, span), decoded(system, changed, span)
    assert np.abs(one - other).max() > 1e-4 * np.abs(one).max()


def test_the_pulses_of_neighbouring_chunks_meet() -> None:
    """A chunk ends with the phase with which the next one begins, so what both make of the same frames is the same."""
    system = lively(PROFILES["harmonic"])
    ahead = system.decode_reach({}).after
    decoder = system.codec.decoder
    assert isinstance(decoder, HarmonicDecoder)
    pitch_hz = torch.linspace(110, 190, 80)[None]
    voicing = torch.ones(1, 80)
    one, _ = decoder.excitation(
        pitch_hz[:, : 40 + ahead], voicing[:, : 40 + ahead], spans=[Span(0, 40, ahead, 0)]
    )
    other, _ = decoder.excitation(pitch_hz[:, 30:], voicing[:, 30:], spans=[Span(10, 40, 0, 40)])
    assert torch.allclose(one[40 : 40 + ahead], other[10 : 10 + ahead], atol=1e-5)
    alone, _ = decoder.excitation(pitch_hz[:, 30:], voicing[:, 30:])
    assert not torch.allclose(one[40 : 40 + ahead], alone[10 : 10 + ahead], atol=1e-3)


@pytest.mark.parametrize("rows", range(1, 7))
def test_any_number_of_rows_decodes_to_something_of_its_own(system: Phoenix, rows: int) -> None:
    indices = random_indices(30)
    whole = Span(0, 30, 0)
    [heard] = decoded(system, indices[:, :rows], whole)
    assert heard.shape == (30 * system.profile.hop_samples,) and np.isfinite(heard).all()
    padded = np.pad(indices[:, :rows], ((0, 0), (0, 6 - rows)), constant_values=-1)
    assert_close(decoded(system, padded, whole)[0], heard)
    if rows < 6:
        more = decoded(system, indices[:, : rows + 1], whole)[0]
        assert np.abs(more - heard).max() > 1e-3 * np.abs(heard).max()


def test_lost_frames_are_silent_and_the_rest_is_not(system: Phoenix) -> None:
    indices = random_indices(30)
    indices[10:20] = -1
    [heard] = decoded(system, indices, Span(0, 30, 0))
    loud = np.abs(heard.reshape(30, -1)).max(1) > 0
    assert not loud[10:20].any() and loud[:10].all() and loud[20:].all()


def test_rates_share_weights_and_hear_the_same() -> None:
    slow = lively(PROFILES["istft at 16 kHz"])
    fast = Phoenix(PROFILES["istft"])
    fast.load_state_dict(slow.state_dict())
    indices, whole = random_indices(40), Span(0, 40, 0)
    [at_16k], [at_24k] = decoded(slow, indices, whole), decoded(fast, indices, whole)
    assert_close(at_24k[::3], at_16k[::2])
    # A sound without anything above 8 kHz has the same spectrum.
    times = [np.arange(40 * 192) / 16_000, np.arange(40 * 288) / 24_000]
    sounds = [sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 700.0, 2300.0, 5100.0)) for time in times]
    one, other = (
        system.codec.encoder.spectrum(torch.from_numpy(0.1 * sound).float()[None])
        for system, sound in zip((slow, fast), sounds, strict=True)
    )
    assert (one - other)[3:].abs().max() < 0.01 * one.abs().max()


def test_shape_describes_what_is_sent() -> None:
    shape = lively(SMALL).shape
    assert (shape.rows, shape.kind, shape.rows_sent) == (6, "stages", (1, 2, 3, 4, 5, 6))
    assert shape.frames_per_s == pytest.approx(83.333, abs=0.001)
    with torch.device("meta"):
        rates = Phoenix(Profile()).shape.bits_per_s
    assert rates == pytest.approx({rows: 1000.0 * rows for rows in range(1, 7)})
