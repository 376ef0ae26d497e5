"""The search for indices finds codewords that sound closer, and depends on nothing outside its chunk."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.models.bundle import load_bundle
from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.systems.fmel.coarse import coarse_copy
from melcodec_cli.systems.fmel.search import BORDER_TOKENS, Judge
from melcodec_cli.systems.fmel.voicing import measured_voicing
from melcodec_cli.systems.span import Span

pytestmark = pytest.mark.slow

TOKENS = 80
ALONE = Span(0, TOKENS, 0)


def speechlike(samples: int) -> Tensor:
    """A tone in noise whose level changes from token to token."""
    torch.manual_seed(3)
    level = torch.rand(samples // 640).repeat_interleave(640)
    return 0.2 * torch.randn(samples) * level + 0.05 * torch.sin(torch.arange(samples) * 0.07)


@pytest.fixture
def chain(tiny_bundle: Path) -> Chain:
    chain = load_bundle(tiny_bundle, "cpu").system
    assert isinstance(chain, Chain)
    return chain


def coded(chain: Chain, choices: int, span: Span = ALONE) -> tuple[Tensor, Tensor | None]:
    audio = speechlike(span.total * chain.profile.token_samples)
    [(indices, globals_)] = chain.encode([audio.numpy()], [span], {"effort": choices})
    return torch.from_numpy(indices[:, 0]), None if globals_ is None else torch.from_numpy(globals_)


def distance(chain: Chain, indices: Tensor, globals_: Tensor | None) -> float:
    """Mean error of the standardised mel of the whole stream."""
    mel = chain.mel(speechlike(TOKENS * chain.profile.token_samples).unsqueeze(0))
    each = None if globals_ is None else globals_.expand(1, TOKENS, -1)
    decoded = chain.coder.decode(indices.unsqueeze(0), each)
    return float((chain.coder.standardise(decoded) - chain.coder.standardise(mel)).abs().mean())


def test_one_choice_is_the_nearest_codeword(chain: Chain) -> None:
    mel = chain.mel(speechlike(TOKENS * chain.profile.token_samples).unsqueeze(0))
    nearest, _ = chain.coder.encode(mel, torch.ones(1, TOKENS, dtype=torch.bool))
    assert torch.equal(coded(chain, 1)[0], nearest[0])


def test_more_choices_bring_the_mel_nearer_to_the_original(chain: Chain) -> None:
    by_mel = dataclasses.replace(chain.search.config, envelope=0.0, pitch=0.0)
    usual, chain.search.config = chain.search.config, by_mel
    try:
        one, two, four = (distance(chain, *coded(chain, choices)) for choices in (1, 2, 4))
    finally:
        chain.search.config = usual
    assert four < two < one


def test_what_the_pitch_stage_hears_counts_as_well(chain: Chain) -> None:
    """With hardly any other weight, the search brings it closer to the original's pitch and measured voicing."""
    assert chain.pitch is not None
    audio = speechlike(TOKENS * chain.profile.token_samples)
    mel = chain.mel(audio.unsqueeze(0))
    voicing = measured_voicing(audio, chain.profile.mel.rate_hz, chain.profile.mel.hop_samples)
    heard = chain.pitch.heard(mel)[0], voicing.unsqueeze(0)
    difference = []
    usual = chain.search.config
    for weight in (0.0, 100.0):
        chain.search.config = dataclasses.replace(usual, pitch=weight)
        indices, globals_ = coded(chain, 4)
        each = None if globals_ is None else globals_.expand(1, TOKENS, -1)
        decoded = chain.coder.decode(indices.unsqueeze(0), each)
        difference.append(chain.pitch.difference(decoded, heard).mean())
    chain.search.config = usual
    assert difference[1] < difference[0]


def test_the_coarse_copies_differ_only_in_rounding(chain: Chain) -> None:
    torch.manual_seed(2)
    points, timbre = torch.randn(3, TOKENS, chain.profile.coder.lookup_width), None
    if chain.profile.timbre is not None:
        timbre = torch.randn(1, 1, chain.profile.timbre.values)
    mel = chain.mel(speechlike(TOKENS * chain.profile.token_samples).unsqueeze(0))
    decoder, pitch = chain.coder.decoder, chain.pitch
    assert pitch is not None
    with torch.inference_mode():
        each = None if timbre is None else timbre.expand(3, -1, -1)
        for one, other in (
            (decoder(points, each), coarse_copy(decoder).float()(points, each)),
            (pitch.scores(mel)[0], coarse_copy(pitch).float().scores(mel)[0]),
        ):
            assert (one - other).abs().max() < 0.03 * one.std()  # three digits, of bfloat16
    assert decoder.head.weight.dtype == pitch.head.weight.dtype == torch.float32  # as they were


def test_chunks_side_by_side_are_searched_as_each_alone(chain: Chain) -> None:
    mel = chain.mel(torch.stack([speechlike(TOKENS * chain.profile.token_samples) * k for k in (1.0, 0.3)]))
    choices, globals_ = chain.coder.choices(mel, torch.ones(2, TOKENS, dtype=torch.bool), None, 3)
    timbre = chain.coder.looked_up(globals_)
    assert timbre is not None

    def searched(rows: slice) -> Tensor:
        kept = timbre[rows].unsqueeze(1)
        own = chain.coder.decoder
        assert chain.pitch is not None
        judges = [Judge(chain.pitch, chain.pitch.heard(mel[rows]), 0.5)]
        return chain.search(chain.coder, own, mel[rows], judges, choices[rows], kept, (False, False))

    together = searched(slice(0, 2))
    assert torch.equal(together, torch.cat([searched(slice(0, 1)), searched(slice(1, 2))]))
    assert not torch.equal(together, choices[..., 0])


def test_it_is_repeatable(chain: Chain) -> None:
    assert torch.equal(coded(chain, 4)[0], coded(chain, 4)[0])


def test_it_takes_no_more_choices_than_there_are(chain: Chain) -> None:
    few = dataclasses.replace(chain.profile, coder=dataclasses.replace(chain.profile.coder, codewords=16))
    assert len(coded(Chain(few), 16 + 5, Span(0, 3, 0))[0]) == 3


def test_tokens_at_a_border_stay_only_if_the_stream_goes_on(chain: Chain) -> None:
    reach = chain.shape.encode
    span = Span(reach.before, TOKENS, reach.after, first=reach.before)
    nearest, searched = (coded(chain, choices, span)[0] for choices in (1, 4))
    changed = nearest != searched
    assert not changed[:BORDER_TOKENS].any() and not changed[-BORDER_TOKENS:].any()
    assert changed[BORDER_TOKENS:-BORDER_TOKENS].any()
    free = coded(chain, 1)[0] != coded(chain, 4)[0]
    assert free[:BORDER_TOKENS].any() or free[-BORDER_TOKENS:].any()


@pytest.mark.parametrize("tokens", [1, 2, 7])
def test_chunks_shorter_than_a_segment_are_searched_too(chain: Chain, tokens: int) -> None:
    assert len(coded(chain, 4, Span(0, tokens, 0))[0]) == tokens


def test_envelopes_correlate_with_themselves_at_any_level_and_not_with_others(chain: Chain) -> None:
    envelope = EnvelopeSegments(chain.mel.filters, chain.profile.mel)
    mel = chain.mel(speechlike(TOKENS * chain.profile.token_samples).unsqueeze(0))
    segments = envelope(mel)
    assert envelope.correlation(segments, segments).min() > 0.99
    assert torch.allclose(envelope.correlation(segments, envelope(mel - 2)), torch.ones(1), atol=0.02)
    assert envelope.correlation(segments, envelope(mel.flip(1))).mean() < 0.7
