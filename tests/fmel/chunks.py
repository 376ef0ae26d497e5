"""Small chains of random weights, and the chunks of a stream that they are tried on."""

import dataclasses

import torch
from torch import Tensor

from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.systems.fmel.config import (
    CoderConfig,
    PitchConfig,
    Profile,
    RefinerConfig,
    TimbreConfig,
    VocoderConfig,
)
from melcodec_cli.systems.fmel.harmonic import HarmonicVocoder
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Codes, Reach

SMALL = Profile(
    name="small",
    coder=CoderConfig(codewords=64, half_width=16, token_width=24, frame_width=16),
    timbre=TimbreConfig(values=8, width=16, blocks=1),
    refiner=RefinerConfig(width=16),
    pitch=PitchConfig(bins=32, width=16, blocks=2),
    vocoder=VocoderConfig(width=16, blocks=2),
    chunk_tokens=40,
)
SPARSE = dataclasses.replace(
    SMALL,
    vocoder=VocoderConfig(
        fft_samples=1280, hop_frames=2, width=16, blocks=2, noise_frames=50, noise_even=True
    ),
)
HIFIGAN = dataclasses.replace(SMALL, vocoder=VocoderConfig(name="hifigan", upsample_width=32), pitch=None)
STRICT = dataclasses.replace(SMALL, timbre=None)
FRAMES = dataclasses.replace(  # all blocks at the rate of frames, as published
    HIFIGAN,
    coder=CoderConfig(
        codewords=64,
        half_width=16,
        token_width=16,
        frame_width=16,
        encoder_frame_blocks=8,
        encoder_half_blocks=0,
        encoder_token_blocks=0,
        decoder_token_blocks=0,
        decoder_half_blocks=0,
        decoder_frame_blocks=8,
    ),
    timbre=None,
)
PROFILES = [SMALL, STRICT, SPARSE, HIFIGAN, FRAMES]


def lively(profile: Profile) -> Chain:
    """A chain of random weights large enough for every tap to matter."""
    torch.manual_seed(3)
    chain = Chain(profile)
    for name, parameter in chain.named_parameters():
        if name.endswith("scale"):
            parameter.fill_(1.0)
    if isinstance(chain.vocoder, HarmonicVocoder) and chain.vocoder.noise is not None:
        chain.vocoder.noise.normal_()
    chain.coder.mean.fill_(-4.0)
    torch.manual_seed(6)  # with which every profile uses several codewords
    chain.coder.quantiser.codebook.normal_()
    chain.coder.quantiser.project_in.bias.fill_(0.0)
    chain.coder.quantiser.project_in.weight.sub_(
        chain.coder.quantiser.project_in.weight.mean(1, keepdim=True)
    )
    return chain


def speechlike(samples: int) -> Tensor:
    """(samples,)"""
    torch.manual_seed(5)
    envelope = torch.nn.functional.interpolate(
        torch.rand(1, 1, samples // 800 + 2), size=samples, mode="linear"
    )
    return torch.randn(samples) * envelope[0, 0] * 0.2


def span_of(total: int, start: int, kept: int, reach: Reach, more: int) -> Span:
    """The span of a chunk in a stream of this many tokens, with `more` context than the reach requires."""
    before, after = min(start, reach.before + more), min(total - start - kept, reach.after + more)
    return Span(before, kept, after, start)


def row_of(span: Span, unit: int = 1) -> slice:
    """The slice of the span in its stream, in units smaller than a token by this factor."""
    begin = span.first - span.before
    return slice(begin * unit, (begin + span.total) * unit)


def decoded(
    chain: Chain,
    indices: Tensor,
    globals_: Tensor | None,
    chunks: list[tuple[int, int]],
    steps: int,
    more: int = 0,
) -> list[Tensor]:
    """The audio of chunks (start, tokens) of a stream, all in one batch; indices (token,), globals (token, values)."""
    options = {"steps": steps}
    reach = chain.decode_reach(options)
    spans = [span_of(len(indices), start, kept, reach, more) for start, kept in chunks]
    return of_rows(
        chain,
        [(indices[row_of(span)], None if globals_ is None else globals_[row_of(span)]) for span in spans],
        spans,
        steps,
    )


def of_rows(
    chain: Chain, rows: list[tuple[Tensor, Tensor | None]], spans: list[Span], steps: int
) -> list[Tensor]:
    """The audio of rows of indices (token,) and globals (token, values), all in one batch."""
    codes = [
        Codes(indices.unsqueeze(1).numpy(), None if globals_ is None else globals_.numpy())
        for indices, globals_ in rows
    ]
    return [torch.from_numpy(audio) for audio in chain.decode(codes, spans, {"steps": steps})]


def encoded(
    chain: Chain, audio: Tensor, chunks: list[tuple[int, int]], more: int = 0, choices: int | None = None
) -> list[tuple[Tensor, Tensor | None]]:
    """The indices (token,) and globals of chunks (start, tokens) of a stream (sample,), all in one batch."""
    unit = chain.profile.token_samples
    spans = [span_of(len(audio) // unit, start, kept, chain.shape.encode, more) for start, kept in chunks]
    rows = [audio[row_of(span, unit)].numpy() for span in spans]
    coded = chain.encode(rows, spans, {} if choices is None else {"effort": choices})
    for span, (indices, _) in zip(spans, coded, strict=True):
        assert indices.shape == (span.kept, 1)
    return [
        (torch.from_numpy(indices[:, 0]), None if globals_ is None else torch.from_numpy(globals_))
        for indices, globals_ in coded
    ]


def assert_close(one: Tensor, other: Tensor, tolerance: float = 1e-5) -> None:
    """Assert that the difference is small relative to the loudest sample."""
    assert one.shape == other.shape
    assert torch.allclose(one, other, rtol=0, atol=tolerance * float(other.abs().max()))


def with_even_pitch(chain: Chain) -> Chain:
    """Even out the pitch: with random weights, rounding in another batch may make it jump, which adds up in phase."""
    if chain.pitch is not None:
        chain.pitch.head.weight.fill_(0.0)
    return chain


def tolerance_of(chain: Chain) -> float:
    """The tolerance: the phase adds up rounding errors of the pitch, which depend on the shape of the batch."""
    return 1e-5 if chain.pitch is None else 1e-3


def assert_same_codes(one: tuple[Tensor, Tensor | None], other: tuple[Tensor, Tensor | None]) -> None:
    assert torch.equal(one[0], other[0])
    assert (one[1] is None) == (other[1] is None)
    if one[1] is not None and other[1] is not None:
        assert torch.equal(one[1], other[1])


def random_tokens(chain: Chain, count: int, chunk: int) -> tuple[Tensor, Tensor | None]:
    torch.manual_seed(7)
    indices = torch.randint(0, chain.profile.coder.codewords, (count,))
    if chain.profile.timbre is None:
        return indices, None
    chunks = -(-count // chunk)
    values = torch.randint(0, 2**chain.profile.timbre.bits, (chunks, chain.profile.timbre.values))
    return indices, values.repeat_interleave(chunk, 0)[:count]


# (start, tokens) in a stream of 160: with part of the context on one side, on both, and at the very end.
CHUNKS = [(3, 20), (60, 40), (159, 1)]
