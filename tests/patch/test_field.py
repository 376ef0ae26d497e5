"""Chunks with the context that the shape names give what the whole stream gives, alone or in a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from melcodec_cli.layers.tokenizer_config import TokenizerConfig
from melcodec_cli.systems.patch.config import Profile, VocoderConfig
from melcodec_cli.systems.patch.patch import Patch
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Audio, Codes, Reach
from tests.patch.small import SMALL, small_patch

COLUMNS = 90


@pytest.fixture(scope="module", params=["harmonic", "hifigan"])
def patch(request: pytest.FixtureRequest) -> Patch:
    return small_patch(request.param)


def recording(columns: int) -> Audio:
    """Noise that swells and fades, about as loud as speech."""
    samples = columns * SMALL.column_samples
    swell = 0.1 + 0.1 * np.sin(np.arange(samples) / 3000)
    return (np.random.default_rng(1).standard_normal(samples) * swell).astype(np.float32)


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
def test_chunks_are_coded_like_the_whole(patch: Patch, together: bool) -> None:
    audio = recording(COLUMNS)
    [whole] = patch.encode([audio], [Span(0, COLUMNS, 0)], {})
    spans = spans_of(25, patch.shape.encode)
    rows = [cut(audio, span, SMALL.column_samples) for span in spans]
    if together:
        coded = patch.encode(rows, spans, {})
    else:
        coded = [patch.encode([row], [span], {})[0] for row, span in zip(rows, spans, strict=True)]
    assert (np.concatenate([each.indices for each in coded]) == whole.indices).mean() > 0.999
    assert whole.indices.shape == (COLUMNS, 20)


def test_less_context_than_the_shape_names_changes_indices(patch: Patch) -> None:
    audio = recording(COLUMNS)
    [whole] = patch.encode([audio], [Span(0, COLUMNS, 0)], {})
    reach = patch.shape.encode
    for shorter in (Reach(reach.before // 2, reach.after), Reach(reach.before, 0)):
        coded = [
            patch.encode([cut(audio, span, SMALL.column_samples)], [span], {})[0]
            for span in spans_of(25, shorter)
        ]
        assert (np.concatenate([each.indices for each in coded]) != whole.indices).any()


@pytest.mark.parametrize("together", [False, True])
def test_a_stretch_is_decoded_like_the_chunk_that_it_lies_in(patch: Patch, together: bool) -> None:
    """The phase of a voice starts anew with each chunk, so other chunks sound different, but not at their borders."""
    indices = np.random.default_rng(2).integers(0, SMALL.tokenizer.codewords, (COLUMNS, 20))
    reach = patch.decode_reach({})
    spans = spans_of(30, reach)
    rows = [Codes(cut(indices, span), None) for span in spans]
    alone = [patch.decode([row], [span], {})[0] for row, span in zip(rows, spans, strict=True)]
    more = spans_of(30, Reach(reach.before + 20, reach.after + 5))
    wider = [patch.decode([Codes(cut(indices, span), None)], [span], {})[0] for span in more]
    decoded = patch.decode(rows, spans, {}) if together else alone
    for part, other, span in zip(decoded, wider, spans, strict=True):
        assert len(part) == span.kept * SMALL.column_samples
        assert np.abs(part).max() > 1e-3
        np.testing.assert_allclose(part, other, atol=2e-4 * np.abs(other).max())


def test_less_context_than_the_shape_names_changes_the_sound() -> None:
    patch = small_patch()
    indices = np.random.default_rng(2).integers(0, SMALL.tokenizer.codewords, (COLUMNS, 20))
    reach = patch.decode_reach({})
    whole = patch.decode([Codes(cut(indices, Span(60, 10, 1, 60)), None)], [Span(60, 10, 1, 60)], {})[0]
    for span in (Span(reach.before // 2, 10, 1, 60), Span(60, 10, 0, 60)):
        part = patch.decode([Codes(cut(indices, span), None)], [span], {})[0]
        assert np.abs(part - whole).max() > 1e-3 * np.abs(whole).max()


def test_neighbouring_chunks_meet_without_a_click(patch: Patch) -> None:
    """Decoded with more than they need, two chunks agree about the samples on both sides of their border."""
    indices = np.random.default_rng(3).integers(0, SMALL.tokenizer.codewords, (COLUMNS, 20))
    reach = patch.decode_reach({})
    left, right = Span(40, 10, reach.after, 40), Span(50, 20, reach.after, 50)
    # The left chunk's network sees the right one's first column, which takes part in its last samples.
    one, two = (patch.decode([Codes(cut(indices, span), None)], [span], {})[0] for span in (left, right))
    step = np.abs(np.diff(np.concatenate([one, two])))
    border = len(one) - 1
    assert step[border] < 4 * np.quantile(step, 0.99)


def test_the_preset_is_less_than_60_ms_behind() -> None:
    default = Patch.from_profile({"system": "patch"})
    assert default.latency_samples is not None
    assert default.latency_samples / default.profile.mel.rate_hz <= 0.060
    assert default.shape.encode.after == default.shape.decode.after == 1


def test_settings_beyond_their_limits_are_refused() -> None:
    from melcodec_cli.layers.settings import ProfileError

    for setting in ({"tokenizer": {"side": 3}}, {"vocoder": {"fft_samples": 500}}, {"chunk_columns": 10**9}):
        with pytest.raises(ProfileError):
            Patch.from_profile({"system": "patch", **setting})


def test_patches_are_squares_of_the_mel() -> None:
    from melcodec_cli.layers.patches import from_patches, to_patches

    mel = torch.arange(2 * 8 * 12).reshape(2, 8, 12)
    patches = to_patches(mel, 4)
    assert patches.shape == (2, 2, 3, 16)
    assert patches[1, 1, 2].tolist() == mel[1, 4:8, 8:12].flatten().tolist()
    assert (from_patches(patches, 4) == mel).all()


def test_profile_is_complete() -> None:
    assert Profile.from_dict(SMALL.to_dict()) == SMALL
    assert isinstance(SMALL.tokenizer, TokenizerConfig) and isinstance(SMALL.vocoder, VocoderConfig)
