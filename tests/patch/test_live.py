"""A live session gives what coding the whole at once gives."""

from __future__ import annotations

import numpy as np
import pytest

from melcodec_cli.systems.patch.patch import Patch
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Codes
from tests.patch.small import SMALL, small_patch

COLUMNS = 40
SAMPLES = SMALL.column_samples


@pytest.fixture(scope="module")
def patch() -> Patch:
    return small_patch()


@pytest.mark.parametrize("pushed", [37, SAMPLES, 3000])
def test_a_sender_gives_the_indices_of_the_whole(patch: Patch, pushed: int) -> None:
    audio = (0.1 * np.random.default_rng(1).standard_normal(COLUMNS * SAMPLES - 100)).astype(np.float32)
    padded = np.pad(audio, (0, 100))
    [whole] = patch.encode([padded], [Span(0, COLUMNS, 0)], {})
    sender = patch.open_encoder(20, {})
    parts = [sender.push(audio[first : first + pushed]) for first in range(0, len(audio), pushed)]
    columns = np.concatenate([*parts, sender.flush()])
    assert columns.shape == (COLUMNS, 20)
    assert (columns == whole.indices).mean() > 0.999


@pytest.mark.parametrize("pushed", [1, 7])
def test_a_receiver_gives_the_audio_of_the_whole(patch: Patch, pushed: int) -> None:
    indices = np.random.default_rng(2).integers(0, SMALL.tokenizer.codewords, (COLUMNS, 20))
    [whole] = patch.decode([Codes(indices, None)], [Span(0, COLUMNS, 0)], {})
    receiver = patch.open_decoder()
    parts = [receiver.push(indices[first : first + pushed]) for first in range(0, COLUMNS, pushed)]
    audio = np.concatenate([*parts, receiver.flush()])
    assert len(audio) == COLUMNS * SAMPLES
    assert np.abs(whole).max() > 0.1
    np.testing.assert_allclose(audio, whole, atol=1e-3 * np.abs(whole).max())


def test_a_column_waits_for_no_more_than_half_an_overlap(patch: Patch) -> None:
    """12 ms of audio after its end on one side, 12 ms of sound before its end on the other: with 32 ms, 56 in all."""
    sender, receiver = patch.open_encoder(20, {}), patch.open_decoder()
    ahead = (SMALL.mel.fft_samples - SMALL.mel.hop_samples) // 2
    assert len(sender.push(np.zeros(SAMPLES + ahead - 1, np.float32))) == 0
    column = sender.push(np.zeros(1, np.float32))
    assert len(column) == 1
    behind = SAMPLES - len(receiver.push(column))
    assert SAMPLES + ahead + behind == patch.latency_samples
    assert patch.latency_samples / SMALL.mel.rate_hz == pytest.approx(0.056)
