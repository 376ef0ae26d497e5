"""The receptive field is finite and as stated, so that chunks with context equal the whole."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from melcodec_cli.chain.chain import Chain
from melcodec_cli.chain.profile import (
    CoderConfig,
    MelConfig,
    PitchConfig,
    Profile,
    RefinerConfig,
    TimbreConfig,
    VocoderConfig,
)
from melcodec_cli.chain.source import MARGIN_HOPS, chunk_phase, per_sample

SMALL = Profile(
    name="small",
    coder=CoderConfig(codewords=64, half_width=16, token_width=24, frame_width=16),
    timbre=TimbreConfig(values=8, width=16, blocks=1),
    refiner=RefinerConfig(width=16),
    pitch=PitchConfig(bins=32, width=16, blocks=2),
    vocoder=VocoderConfig(width=16, blocks=2),
    chunk_tokens=40,
)
HIFIGAN = dataclasses.replace(SMALL, vocoder=VocoderConfig(name="hifigan", upsample_width=32), pitch=None)
STRICT = dataclasses.replace(SMALL, timbre=None)
FULL_BAND = dataclasses.replace(
    SMALL,
    mel=MelConfig(48000, 2048, 1920, 160, 128, 0.0, 20000.0),
    refiner=None,
    vocoder=VocoderConfig(fft_samples=960, width=16, blocks=2),
)
PROFILES = [SMALL, STRICT, HIFIGAN, FULL_BAND]


@pytest.fixture(params=PROFILES, ids=["harmonic", "no timbre", "hifigan", "full band"])
def chain(request: pytest.FixtureRequest) -> Chain:
    return lively(request.param)


def lively(profile: Profile) -> Chain:
    """A chain of random weights large enough for every tap to matter."""
    torch.manual_seed(3)
    chain = Chain(profile)
    for name, parameter in chain.named_parameters():
        if name.endswith("scale"):
            parameter.fill_(1.0)
    chain.coder.mean.fill_(-4.0)
    chain.coder.quantiser.project_in.bias.fill_(0.0)
    chain.coder.quantiser.project_in.weight.sub_(
        chain.coder.quantiser.project_in.weight.mean(1, keepdim=True)
    )
    return chain


def speechlike(samples: int) -> Tensor:
    torch.manual_seed(5)
    envelope = torch.nn.functional.interpolate(
        torch.rand(1, 1, samples // 800 + 2), size=samples, mode="linear"
    )[0]
    return torch.randn(1, samples) * envelope * 0.2


def job(
    chain: Chain, indices: Tensor, globals_: Tensor | None, start: int, tokens: int, steps: int
) -> tuple[Tensor, Any]:
    """Indices (token,) and per-token globals (token, values) of one chunk with its context, as decode wants them."""
    context = chain.decode_context_tokens(steps)
    padded = torch.nn.functional.pad(indices, (context, context), value=-1)[
        start : start + tokens + 2 * context
    ]
    if globals_ is None:
        return padded.unsqueeze(0), None
    kept = torch.nn.functional.pad(globals_.T, (context, context)).T[start : start + tokens + 2 * context]
    return padded.unsqueeze(0), kept.unsqueeze(0)


def random_tokens(chain: Chain, count: int, chunk: int) -> tuple[Tensor, Tensor | None]:
    torch.manual_seed(7)
    indices = torch.randint(0, chain.profile.coder.codewords, (count,))
    if chain.profile.timbre is None:
        return indices, None
    chunks = -(-count // chunk)
    values = torch.randint(0, 2**chain.profile.timbre.bits, (chunks, chain.profile.timbre.values))
    return indices, values.repeat_interleave(chunk, 0)[:count]


def test_more_context_than_stated_does_not_change_the_indices(chain: Chain) -> None:
    tokens, context = 40, chain.encode_context_tokens
    audio = speechlike((tokens + 2 * (context + 9)) * chain.profile.token_samples)
    mel = chain.mel(audio)
    valid = torch.tensor([tokens])
    wide, globals_wide = chain.coder.encode(mel, context + 9, valid)
    kept = audio[:, 9 * chain.profile.token_samples : -9 * chain.profile.token_samples]
    narrow, globals_narrow = chain.encode(kept, [tokens])
    assert torch.equal(wide, narrow)
    assert (globals_wide is None) == (globals_narrow is None)
    if globals_wide is not None and globals_narrow is not None:
        assert torch.equal(globals_wide, globals_narrow)
    assert len(narrow.unique()) > 5  # not equal for want of variety


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_more_context_than_stated_does_not_change_the_audio(
    chain: Chain, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    indices, globals_ = random_tokens(chain, 200, 40)
    narrow = chain.decode(*job(chain, indices, globals_, 80, 40, steps), [320], [40], steps)
    stated = chain.decode_context_tokens(steps)
    monkeypatch.setattr(Chain, "decode_context_tokens", lambda self, steps: stated + 7)
    wide = chain.decode(*job(chain, indices, globals_, 80, 40, steps), [320], [40], steps)
    assert torch.allclose(wide, narrow, atol=5e-5 * float(narrow.abs().max()))


def test_audio_does_not_depend_on_the_rest_of_the_batch(chain: Chain) -> None:
    indices, globals_ = random_tokens(chain, 120, 40)
    jobs = [job(chain, indices, globals_, start, 40, 1) for start in (0, 40, 80)]
    alone = [
        chain.decode(*each, [start * 4], [40], 1)[0] for each, start in zip(jobs, (0, 40, 80), strict=True)
    ]
    together = chain.decode(
        torch.cat([each[0] for each in jobs]),
        None if globals_ is None else torch.cat([each[1] for each in jobs]),
        [0, 160, 320],
        [40, 40, 40],
        1,
    )
    for one, other in zip(alone, together, strict=True):
        assert torch.allclose(one, other, atol=5e-5 * float(one.abs().max()))


def test_a_short_chunk_padded_with_absent_tokens_sounds_the_same(chain: Chain) -> None:
    indices, globals_ = random_tokens(chain, 23, 40)
    short = chain.decode(*job(chain, indices, globals_, 0, 23, 1), [0], [23], 1)[0]
    padded = torch.nn.functional.pad(indices, (0, 17), value=-1)
    values = None if globals_ is None else torch.nn.functional.pad(globals_.T, (0, 17)).T
    long = chain.decode(*job(chain, padded, values, 0, 40, 1), [0], [23], 1)[0]
    kept = 23 * chain.profile.token_samples
    assert torch.allclose(short, long[:kept], atol=5e-5 * float(short.abs().max()))


def test_indices_do_not_depend_on_the_rest_of_the_batch(chain: Chain) -> None:
    tokens, context = 40, chain.encode_context_samples
    unit = chain.profile.token_samples
    audio = speechlike(tokens * 3 * unit + 2 * context)
    parts = [audio[:, i * tokens * unit : (i + 1) * tokens * unit + 2 * context] for i in range(3)]
    together = chain.encode(torch.cat(parts), [tokens] * 3)
    for row, part in enumerate(parts):
        alone = chain.encode(part, [tokens])
        assert torch.equal(alone[0][0], together[0][row])
        if alone[1] is not None and together[1] is not None:
            assert torch.equal(alone[1][0], together[1][row])


def test_timbre_of_a_short_chunk_does_not_hear_the_padding() -> None:
    chain = lively(SMALL)
    unit, context = chain.profile.token_samples, chain.encode_context_samples
    audio = torch.nn.functional.pad(speechlike(30 * unit), (context, context))
    longer = torch.nn.functional.pad(audio, (0, 10 * unit))
    indices, globals_ = chain.encode(audio, [30])
    padded_indices, padded_globals = chain.encode(longer, [30])
    assert torch.equal(indices[0], padded_indices[0, :30])
    assert globals_ is not None and padded_globals is not None
    assert torch.equal(globals_, padded_globals)


def test_neighbouring_chunks_agree_on_the_phase_around_their_border() -> None:
    torch.manual_seed(1)
    hop, rate, frames, chunk = 160, 16000, 200, 100
    curve = 80 + 200 * torch.rand(1, 1, 12)
    pitch_hz = torch.nn.functional.interpolate(curve, size=frames, mode="linear")[0]
    samples_hz = per_sample(pitch_hz, hop)
    length = torch.tensor([chunk * hop])
    left = chunk_phase(samples_hz, rate, hop, 0, length)
    right = chunk_phase(samples_hz, rate, hop, chunk * hop, length)
    border, reach = chunk * hop, MARGIN_HOPS * hop
    around = slice(border - reach, border + reach)
    difference = (left - right)[0, around]
    assert torch.allclose(difference, difference.round(), atol=1e-9)
    assert torch.allclose(difference, difference[0], atol=1e-9)
    # and the correction never bends the pitch by more than a half cycle over the chunk
    natural = torch.cumsum(samples_hz / rate, 1)
    assert ((left - (natural - natural[:, :1])).abs() <= 0.5 + 1e-9).all()
