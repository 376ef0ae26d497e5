"""Lost frames: the last one again, ever quieter, for 60 ms, then silence, and never out of time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from melcodec_cli.codec.concealment import FADE_S, Concealment
from melcodec_cli.evaluate.likeness import stoi
from melcodec_cli.evaluate.speech import Speech
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from tests.phoenix.systems import PROFILES, lively, random_indices
from tests.sounds import Audio

SYSTEM = PROFILES["istft at 16 kHz"]
FRAME = 192
FADE_FRAMES = 5  # 60 ms


@pytest.fixture(scope="module")
def system() -> Phoenix:
    return lively(SYSTEM)


def opened(system: Phoenix) -> Concealment:
    return Concealment(system.open_decoder(), system.shape, system.latency_samples)


def played(system: Phoenix, indices: NDArray[np.int64], lost: NDArray[np.bool_]) -> Audio:
    concealment, heard = opened(system), []
    for frame, is_lost in zip(indices, lost, strict=True):
        heard.append(concealment.lose(1) if is_lost else concealment.play(frame[None]))
    return np.concatenate([*heard, concealment.finish()])


def loudness(heard: Audio) -> NDArray[np.float32]:
    """Frame by frame."""
    return np.abs(heard.reshape(-1, FRAME)).max(1)


def test_without_loss_it_is_the_session_alone(system: Phoenix) -> None:
    indices = random_indices(30)
    session = system.open_decoder()
    expected = np.concatenate([session.push(indices), session.flush()])
    heard = played(system, indices, np.zeros(30, bool))
    assert np.abs(heard - expected).max() < 1e-5 * np.abs(expected).max()


def test_it_fades_within_60_ms_and_then_is_silent_until_the_next_frame(system: Phoenix) -> None:
    lost = np.zeros(60, bool)
    lost[20:40] = True
    heard = loudness(played(system, random_indices(60), lost))
    assert FADE_FRAMES == FADE_S / 0.012
    assert (heard[20:24] > 0.01 * heard[:20].max()).all()
    assert not heard[20 + FADE_FRAMES : 40].any()
    assert (heard[41:60] > 0).all()
    gains = heard[20:25] / heard[19]
    assert gains[4] < 0.5 * gains[0]


def test_a_long_silence_takes_no_computing_and_keeps_its_length(system: Phoenix) -> None:
    concealment, indices = opened(system), random_indices(20)
    before = concealment.play(indices[:10])
    gap = concealment.lose(100_000)
    after = np.concatenate([concealment.play(indices[10:]), concealment.finish()])
    assert len(before) + len(gap) + len(after) == 100_020 * FRAME
    assert not gap[7 * FRAME :].any() and after[-FRAME:].any()


def test_nothing_to_repeat_is_silence(system: Phoenix) -> None:
    concealment = opened(system)
    lost = concealment.lose(12)
    assert not lost.any()
    assert concealment.play(random_indices(10)).any()


def test_an_index_outside_the_codebook_counts_as_lost(system: Phoenix) -> None:
    indices = random_indices(40)
    strange = indices.copy()
    strange[15, 3] = 64
    lost = np.zeros(40, bool)
    lost[15] = True
    assert np.array_equal(played(system, strange, np.zeros(40, bool)), played(system, indices, lost))


def test_intelligibility_falls_with_the_share_of_lost_frames(system: Phoenix) -> None:
    pytest.importorskip("pystoi")
    frames = 120
    indices = np.repeat(random_indices(frames // 4), 4, 0)  # sounds of 48 ms
    order = np.random.default_rng(2).permutation(frames)
    session = system.open_decoder()
    whole = Speech(np.concatenate([session.push(indices), session.flush()]), 16_000)
    scores = []
    for percent in (1, 5, 20):
        lost = np.isin(np.arange(frames), order[: frames * percent // 100])
        scores.append(stoi(whole, Speech(played(system, indices, lost), 16_000)))
    assert 1 > scores[0] > scores[1] > scores[2] > 0.5
    muted = whole.audio.copy().reshape(frames, FRAME)
    muted[lost] = 0
    assert scores[-1] > stoi(whole, Speech(muted.reshape(-1), 16_000)), "silence would be better"
