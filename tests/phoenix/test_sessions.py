"""Sessions: frame by frame, the same as the whole, and never later than stated."""

from __future__ import annotations

import numpy as np
import pytest

from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Streaming
from tests.phoenix.systems import PROFILES, assert_close, decoded, encoded, lively, random_indices, speechlike

pytestmark = pytest.mark.slow

FRAMES = 60


@pytest.fixture(scope="module", params=PROFILES)
def system(request: pytest.FixtureRequest) -> Phoenix:
    return lively(PROFILES[request.param])


def test_pieces_of_any_length_are_coded_as_the_whole(system: Phoenix) -> None:
    streaming: Streaming = system
    audio = speechlike(FRAMES * system.profile.hop_samples)
    [whole] = encoded(system, audio, Span(0, FRAMES, 0))
    session = streaming.open_encoder(6, {"effort": 1})
    pieces = [session.push(piece) for piece in np.array_split(audio, 37)]  # of no whole number of frames
    assert np.array_equal(np.concatenate([*pieces, session.flush()]), whole)
    assert len(np.unique(whole)) > 10


def test_the_last_frame_is_filled_up_and_fewer_rows_are_the_first(system: Phoenix) -> None:
    audio = speechlike(5 * system.profile.hop_samples - 7)
    whole = encoded(system, np.pad(audio, (0, 7)), Span(0, 5, 0))[0]
    session = system.open_encoder(2, {"effort": 1})
    assert np.array_equal(np.concatenate([session.push(audio), session.flush()]), whole[:, :2])
    assert session.flush().shape == (0, 2)


@pytest.mark.parametrize("frames", [1, 3], ids=["frame by frame", "three at a time"])
def test_frames_are_decoded_as_the_whole(system: Phoenix, frames: int) -> None:
    indices = random_indices(FRAMES)
    [whole] = decoded(system, indices, Span(0, FRAMES, 0))
    session = system.open_decoder()
    pieces = [session.push(indices[at : at + frames]) for at in range(0, FRAMES, frames)]
    assert_close(np.concatenate([*pieces, session.flush()]), whole)
    assert all(len(piece) == frames * system.profile.hop_samples for piece in pieces[3:])


def test_two_sessions_do_not_disturb_each_other(system: Phoenix) -> None:
    indices = random_indices(20)
    one, two = system.open_decoder(), system.open_decoder()
    both = [(one.push(indices[k : k + 1]), two.push(indices[19 - k : 20 - k])) for k in range(20)]
    [expected] = decoded(system, indices, Span(0, 20, 0))
    heard = np.concatenate([each for each, _ in both] + [one.flush()])
    assert_close(heard, expected)


def test_a_stream_of_one_frame_comes_out_whole(system: Phoenix) -> None:
    indices = random_indices(1)
    session = system.open_decoder()
    heard = np.concatenate([session.push(indices), session.flush()])
    assert_close(heard, decoded(system, indices, Span(0, 1, 0))[0])


def test_the_delay_is_what_the_layers_look_ahead(system: Phoenix) -> None:
    """After k frames, all but the look-ahead has come out: found by pushing, not by the sum that is stated."""
    session, hop = system.open_decoder(), system.profile.hop_samples
    out = sum(len(session.push(random_indices(1))) for _ in range(8))
    waiting = 8 * hop - out
    ahead = system.codec.decoder.ahead_samples
    assert ahead <= waiting <= ahead + 3  # a group of the interpolation leaves as a whole
    assert hop + ahead <= system.latency_samples <= hop + ahead + 10 * system.profile.rate_hz // 24_000
    # An output as far from the change as stated is affected by it, and nothing before is.
    indices = random_indices(20)
    changed = indices.copy()
    changed[10] = (changed[10] + 1) % 64
    [one], [other] = decoded(system, indices, Span(0, 20, 0)), decoded(system, changed, Span(0, 20, 0))
    first = int(np.flatnonzero(np.abs(one - other) > 1e-9)[0])
    assert 0 <= first - (10 * hop - ahead) <= 40
