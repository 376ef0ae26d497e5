"""Chunks with the context that the shape names give what the whole stream gives, alone or in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from melcodec_cli.layers.settings import ProfileError
from melcodec_cli.systems.meltok.config import Profile
from melcodec_cli.systems.meltok.meltok import Meltok
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Audio, Codes, Reach
from tests.meltok.small import KINDS, SMALL, small_meltok, small_profile

COLUMNS = 64


@pytest.fixture(scope="module", params=KINDS)
def meltok(request: pytest.FixtureRequest) -> Meltok:
    return small_meltok(request.param)


def recording(columns: int) -> Audio:
    """Noise that is loud or soft from one hop to the next."""
    chance = np.random.default_rng(1)
    hops = chance.standard_normal((columns * 8, SMALL.mel.hop_samples))
    return (hops * 10 ** chance.uniform(-4, -0.5, (columns * 8, 1))).ravel().astype(np.float32)


def indices() -> np.ndarray:
    return np.random.default_rng(2).integers(0, SMALL.tokenizer.codewords, (COLUMNS, 12))


def spans_of(chunk: int, reach: Reach) -> list[Span]:
    spans = []
    for first in range(0, COLUMNS, chunk):
        kept = min(chunk, COLUMNS - first)
        spans.append(Span(min(first, reach.before), kept, min(COLUMNS - first - kept, reach.after), first))
    return spans


def cut(data: np.ndarray, span: Span, unit: int = 1) -> np.ndarray:
    begin = span.first - span.before
    return data[begin * unit : (begin + span.total) * unit]


@pytest.mark.parametrize("together", [False, True])
def test_chunks_are_coded_like_the_whole(meltok: Meltok, together: bool) -> None:
    audio = recording(COLUMNS)
    [whole] = meltok.encode([audio], [Span(0, COLUMNS, 0)], {})
    spans = spans_of(20, meltok.shape.encode)
    rows = [cut(audio, span, SMALL.column_samples) for span in spans]
    if together:
        coded = meltok.encode(rows, spans, {})
    else:
        coded = [meltok.encode([row], [span], {})[0] for row, span in zip(rows, spans, strict=True)]
    assert (np.concatenate([each.indices for each in coded]) == whole.indices).mean() > 0.995
    assert whole.indices.shape == (COLUMNS, 12)
    assert len(np.unique(whole.indices)) > 8


@pytest.mark.parametrize("together", [False, True])
def test_chunks_are_decoded_like_the_whole(meltok: Meltok, together: bool) -> None:
    coded = indices()
    [whole] = meltok.decode([Codes(coded, None)], [Span(0, COLUMNS, 0)], {})
    spans = spans_of(20, meltok.decode_reach({}))
    rows = [Codes(cut(coded, span), None) for span in spans]
    if together:
        parts = meltok.decode(rows, spans, {})
    else:
        parts = [meltok.decode([row], [span], {})[0] for row, span in zip(rows, spans, strict=True)]
    assert [len(part) for part in parts] == [span.kept * SMALL.column_samples for span in spans]
    assert np.abs(whole).max() > 1e-3
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=2e-4 * np.abs(whole).max())


def test_less_context_than_the_shape_names_changes_the_result(meltok: Meltok) -> None:
    audio, coded, kept = recording(COLUMNS), indices(), slice(30 * 2048, 40 * 2048)
    [whole] = meltok.encode([audio], [Span(0, COLUMNS, 0)], {})
    [sound] = meltok.decode([Codes(coded, None)], [Span(0, COLUMNS, 0)], {})
    encode, decode = meltok.shape.encode, meltok.shape.decode
    for shorter in (Span(0, 10, encode.after, 30), Span(encode.before, 10, 0, 30)):
        [part] = meltok.encode([cut(audio, shorter, SMALL.column_samples)], [shorter], {})
        assert (part.indices != whole.indices[30:40]).any()
    for shorter in (Span(decode.before // 2, 10, decode.after, 30), Span(decode.before, 10, 0, 30)):
        [heard] = meltok.decode([Codes(cut(coded, shorter), None)], [shorter], {})
        assert np.abs(heard - sound[kept]).max() > 1e-3 * np.abs(sound).max()


def test_lost_columns_are_silent_and_leave_the_rest(meltok: Meltok) -> None:
    coded = indices()
    lost = coded.copy()
    lost[20:40] = -1
    whole, holed = (
        meltok.decode([Codes(each, None)], [Span(0, COLUMNS, 0)], {})[0] for each in (coded, lost)
    )
    assert np.abs(holed[21 * 2048 : 39 * 2048]).max() == 0
    far = 2048 * (20 - meltok.shape.decode.after)
    np.testing.assert_allclose(holed[:far], whole[:far], atol=2e-4 * np.abs(whole).max())
    assert np.abs(holed[41 * 2048 :]).max() > 0.1 * np.abs(whole).max()


def test_rate_and_sizes_are_those_that_are_published() -> None:
    shape = Meltok.from_profile({"system": "meltok"}).shape
    assert (shape.rate_hz, shape.rows, shape.codewords, shape.index_bits) == (44100, 12, 8192, 13)
    assert shape.bits_per_s[12] == pytest.approx(3360, rel=0.001)


@pytest.mark.parametrize(
    "kind, parameters",
    [("mel", {"tokenizer": (2.5e6, 4e6)}), ("tokens", {"tokenizer": (2.5e6, 4e6), "vocoder": (6e6, 9e6)})],
)
def test_the_networks_have_the_sizes_that_were_asked_for(
    kind: str, parameters: dict[str, tuple[float, float]]
) -> None:
    meltok = Meltok.from_profile({"system": "meltok", "vocoder": {"hears": kind}})
    for part, (least, most) in parameters.items():
        assert least < sum(each.numel() for each in getattr(meltok, part).parameters()) < most


@pytest.mark.parametrize(
    "setting, said",
    [
        ({"tokenizer": {"side": 7}}, "mel.bands must be a multiple"),
        ({"tokenizer": {"structure": "round"}}, "must be patches or line"),
        ({"tokenizer": {"structure": "line"}, "vocoder": {"hears": "tokens"}}, "needs tokenizer.structure"),
        ({"tokenizer": {"width": 30}}, "multiple of 4"),
        ({"vocoder": {"hears": "voices"}}, "must be mel or tokens"),
        ({"vocoder": {"hop_frames": 3}}, "must divide tokenizer.side"),
        ({"vocoder": {"fft_samples": 1500}}, "vocoder.fft_samples must be"),
        ({"chunk_columns": 10**9}, "chunk_columns"),
    ],
)
def test_settings_beyond_their_limits_are_refused(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        Meltok.from_profile({"system": "meltok", **setting})


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_is_complete(kind: str) -> None:
    assert Profile.from_dict(small_profile(kind).to_dict()) == small_profile(kind)
