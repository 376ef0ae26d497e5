"""A search by ear finds indices that sound nearer to the original."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from melcodec_cli.layers.by_ear import Ear
from melcodec_cli.systems.meltok.meltok import Meltok
from melcodec_cli.systems.patch.patch import Patch
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Codes
from tests.meltok.small import small_meltok
from tests.patch.small import small_patch
from tests.phoenix.systems import PROFILES, lively

FRAMES = 60

Searching = Phoenix | Patch | Meltok


def system_named(name: str) -> Searching:
    if name in PROFILES:
        return lively(PROFILES[name])
    return small_patch("harmonic") if name == "patch" else small_meltok(name)


@pytest.fixture(scope="module", params=["harmonic", "istft", "time", "patch", "mel", "tokens"])
def system(request: pytest.FixtureRequest) -> Searching:
    return system_named(request.param)


def recording(system: Searching, seed: int = 1) -> NDArray[np.float32]:
    samples = FRAMES * system.shape.frame_samples
    swell = 0.1 + 0.1 * np.sin(np.arange(samples) / 3000)
    return (np.random.default_rng(seed).standard_normal(samples) * swell).astype(np.float32)


def coded(
    system: Searching, audio: NDArray[np.float32], effort: int, sent: int | None = None
) -> NDArray[np.int64]:
    [codes] = system.encode([audio], [Span(0, FRAMES, 0)], {"effort": effort}, [sent])
    return codes.indices


def distance(system: Searching, audio: NDArray[np.float32], indices: NDArray[np.int64]) -> float:
    [made] = system.decode([Codes(indices, None)], [Span(0, FRAMES, 0)], {})
    heard = torch.from_numpy(audio)[None]
    ear = system.search.ear if isinstance(system, Phoenix) else system.ear
    beside = ear.beside(heard, ear.hearing.gain(heard))
    return float(beside(torch.from_numpy(made)[None]).mean())


def test_more_effort_sounds_nearer(system: Searching) -> None:
    """On the whole: a frame is judged with what was around it then, not with what its neighbours kept at last."""
    recordings = [recording(system, seed) for seed in (0, 1, 2)]
    far, near, nearer = (
        sum(distance(system, audio, coded(system, audio, effort)) for audio in recordings)
        for effort in (1, 3, 8)
    )
    assert nearer < near < far


def test_the_least_effort_takes_the_nearest_codewords() -> None:
    phoenix = lively(PROFILES["harmonic"])
    audio = recording(phoenix)
    nearest = phoenix.codec.quantiser(phoenix.codec.encoder(torch.from_numpy(audio)[None])).indices[0]
    assert np.array_equal(coded(phoenix, audio, 1), nearest.numpy())


def test_what_is_searched_for_does_not_depend_on_the_batch(system: Searching) -> None:
    """But for the rounding of batches, which this equal length keeps small: the same row twice gives the same twice."""
    audio = recording(system)
    both = system.encode([audio, audio], [Span(0, FRAMES, 0)] * 2, {"effort": 2})
    assert np.array_equal(both[0].indices, both[1].indices)
    assert np.array_equal(coded(system, audio, 2), coded(system, audio, 2))


def test_a_search_for_fewer_rows_hears_what_these_decode_to() -> None:
    phoenix = lively(PROFILES["harmonic"])
    audio = recording(phoenix)
    own, cut = (coded(phoenix, audio, 4, sent)[:, :1] for sent in (1, None))
    assert distance(phoenix, audio, own) < distance(phoenix, audio, cut)


def test_the_search_leaves_the_weights_alone(system: Searching) -> None:
    before = {name: value.clone() for name, value in system.state_dict().items()}
    coded(system, recording(system), 2)
    assert all(torch.equal(value, before[name]) for name, value in system.state_dict().items())
    assert not any(value.requires_grad or value.grad is not None for value in system.parameters())


@pytest.mark.parametrize(("rate_hz", "frame"), [(16_000, 192), (24_000, 288), (44_100, 2048), (16_000, 26)])
def test_an_ear_hears_each_frame(rate_hz: int, frame: int) -> None:
    """Where two recordings differ, and nowhere far from there."""
    ear = Ear(rate_hz, rate_hz / 2, frame)
    audio = torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, (1, 200 * frame)).astype(np.float32))
    other: Any = audio.clone()
    other[:, 100 * frame : 101 * frame] = 0
    each = ear.beside(audio, ear.hearing.gain(audio))(other)[0]
    reach = -(-rate_hz * 64 // 1000 // frame)
    assert each.shape == (200,)
    assert each.argmax() in range(100 - reach, 101 + reach)
    assert not each[: 100 - reach - 1].any() and not each[101 + reach + 1 :].any()


def test_pieces_cover_a_span_with_their_context() -> None:
    span = Span(3, 20, 4, first=103)
    pieces = span.pieces(10, 6, 2)
    assert [(piece.before, piece.kept, piece.after) for piece in pieces] == [
        (0, 10, 2),
        (6, 10, 2),
        (6, 7, 0),
    ]
    places = np.arange(100, 127)
    assert [places[piece.within(span)][piece.kept_slice].tolist() for piece in pieces] == [
        list(range(100, 110)),
        list(range(110, 120)),
        list(range(120, 127)),
    ]
