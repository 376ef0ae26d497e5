"""The receptive field is finite and as stated, so that chunks with context equal the whole."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from melcodec_cli.layers.excitation import MARGIN_HOPS, chunk_phase, per_sample
from melcodec_cli.systems.fmel.chain import Chain, held_pitch
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.span import Span
from tests.fmel.chunks import (
    CHUNKS,
    FRAMES,
    HIFIGAN,
    PROFILES,
    SMALL,
    SPARSE,
    STRICT,
    assert_close,
    assert_same_codes,
    decoded,
    encoded,
    lively,
    of_rows,
    random_tokens,
    speechlike,
    tolerance_of,
    with_even_pitch,
)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: small operations on several are slow if another process keeps a core busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(
    params=PROFILES,
    ids=["harmonic", "no timbre", "two frames, looped noise", "hifigan", "blocks of frames"],
)
def chain(request: pytest.FixtureRequest) -> Chain:
    return lively(request.param)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_more_context_than_stated_does_not_change_the_indices(chain: Chain, chunk: tuple[int, int]) -> None:
    audio = speechlike(160 * chain.profile.token_samples)
    [narrow], [wide] = encoded(chain, audio, [chunk]), encoded(chain, audio, [chunk], more=9)
    assert_same_codes(narrow, wide)
    assert len(narrow[0].unique()) > 5 or chunk[1] < 10  # not equal for want of variety


def changed_frames(stage: Callable[[Tensor], Tensor], x: Tensor, place: int) -> list[int]:
    """The places where the output (1, place, channel) changes if the input changes at one place."""
    other = x.clone()
    other[:, place] += 1
    difference = (stage(x) - stage(other)).abs().amax((0, 2))
    return torch.nonzero(difference > 1e-13 * difference.max()).flatten().tolist()


def test_blocks_of_frames_reach_nearly_as_far_as_stated() -> None:
    """Too long a context would hide a mistake and make every chunk slower."""
    coder = lively(FRAMES).coder.double()
    mel = torch.randn(1, 160, 80, dtype=torch.float64)
    tokens = changed_frames(lambda x: coder.encoder(x, None), mel, 80)  # the first frame of token 20
    assert (
        coder.encoder.context_tokens == 9
    )  # 3 frames of the first convolution, 24 of the blocks, 8 of the halvings
    assert coder.encoder.context_tokens - 1 <= 20 - tokens[0] <= coder.encoder.context_tokens
    assert coder.encoder.context_tokens - 1 <= tokens[-1] - 20 <= coder.encoder.context_tokens
    points = torch.randn(1, 40, 8, dtype=torch.float64)
    frames = changed_frames(lambda x: coder.decoder(x, None), points, 20)
    assert coder.decoder.context_tokens == 7  # 24 frames of the blocks, and the neighbouring tokens
    assert (frames[0], frames[-1]) == (4 * (20 - 7), 4 * (20 + 7) + 3)


@pytest.mark.parametrize("profile", [STRICT, FRAMES], ids=["blocks of tokens", "blocks of frames"])
def test_nearest_codewords_of_chunks_are_those_of_the_whole(profile: Profile) -> None:
    chain = lively(profile)
    audio = speechlike(160 * chain.profile.token_samples)
    [(whole, _)] = encoded(chain, audio, [(0, 160)], choices=1)
    for start in range(0, 160, 40):
        [(part, _)] = encoded(chain, audio, [(start, 40)], choices=1)
        assert torch.equal(part, whole[start : start + 40])


@pytest.mark.parametrize("steps", [0, 2])
def test_more_context_than_stated_does_not_change_the_audio(chain: Chain, steps: int) -> None:
    indices, globals_ = random_tokens(chain, 160, 40)
    for chunk in CHUNKS:
        [narrow] = decoded(chain, indices, globals_, [chunk], steps)
        [wide] = decoded(chain, indices, globals_, [chunk], steps, more=7)
        assert_close(narrow, wide, 5e-5)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("profile", [HIFIGAN, FRAMES], ids=["blocks of tokens", "blocks of frames"])
def test_audio_of_chunks_is_that_of_the_whole(profile: Profile, steps: int) -> None:
    """They are exactly equal without a source whose phase starts again with each chunk."""
    chain = lively(profile)
    indices, globals_ = random_tokens(chain, 160, 40)
    [whole] = decoded(chain, indices, globals_, [(0, 160)], steps)
    parts = [decoded(chain, indices, globals_, [(start, 40)], steps)[0] for start in range(0, 160, 40)]
    assert_close(torch.cat(parts), whole)


@pytest.mark.parametrize("steps", [0, 2])
def test_rows_of_a_batch_sound_as_each_alone(chain: Chain, steps: int) -> None:
    indices, globals_ = random_tokens(chain, 160, 40)
    together = decoded(with_even_pitch(chain), indices, globals_, CHUNKS, steps)
    for chunk, row in zip(CHUNKS, together, strict=True):
        [alone] = decoded(chain, indices, globals_, [chunk], steps)
        assert_close(row, alone, tolerance_of(chain))


def test_a_row_that_has_ended_does_not_affect_the_others(chain: Chain) -> None:
    """This also holds where its stream ends, so that padding would be audible."""
    indices, globals_ = random_tokens(chain, 160, 40)
    short = None if globals_ is None else globals_[:23]
    [alone] = decoded(with_even_pitch(chain), indices[:23], short, [(0, 23)], 1)
    rows, spans = [(indices[:23], short), (indices, globals_)], [Span(0, 23, 0), Span(0, 160, 0)]
    extended, _ = of_rows(chain, rows, spans, 1)
    assert_close(extended, alone, tolerance_of(chain))
    rows[0] = indices.index_fill(0, torch.arange(23, 160), 5), globals_  # what extends it, made another
    assert torch.equal(of_rows(chain, rows, spans, 1)[0], extended)


def test_rows_of_a_batch_are_coded_as_each_alone(chain: Chain) -> None:
    audio = speechlike(160 * chain.profile.token_samples)
    for chunk, row in zip(CHUNKS, encoded(chain, audio, CHUNKS), strict=True):
        [alone] = encoded(chain, audio, [chunk])
        assert_same_codes(row, alone)


def timbre(chain: Chain, x: Tensor, inside: Tensor | None) -> Tensor:
    assert chain.coder.timbre is not None
    valid = torch.zeros(len(x), x.shape[1] // 4)
    valid[:, :12] = 1
    values = chain.coder.timbre(x, valid, inside)
    return values.unsqueeze(1).expand(-1, 12, -1)


def refiner(chain: Chain, x: Tensor, inside: Tensor | None) -> Tensor:
    assert chain.refiner is not None
    return chain.refiner(x, x.flip(2), 2, inside)


def pitch(chain: Chain, x: Tensor, inside: Tensor | None) -> Tensor:
    assert chain.pitch is not None
    return chain.pitch.scores(x, inside)[0]


def harmonic(chain: Chain, x: Tensor, inside: Tensor | None) -> Tensor:
    excitation = x.repeat(1, 1, 2)  # a hop for each frame
    pulses, noise = excitation.flatten(1), excitation.flip(2).flatten(1)
    return chain.vocoder(x, 100 + x[..., 0].abs(), x[..., 1].sigmoid(), pulses, noise, inside)


@pytest.mark.parametrize(
    ("profile", "width", "stage"),
    [
        pytest.param(SMALL, 80, timbre, id="timbre"),
        pytest.param(STRICT, 80, lambda chain, x, inside: chain.coder.encoder(x, None, inside), id="encoder"),
        pytest.param(
            FRAMES, 80, lambda chain, x, inside: chain.coder.encoder(x, None, inside), id="encoder of frames"
        ),
        pytest.param(STRICT, 8, lambda chain, x, inside: chain.coder.decoder(x, None, inside), id="decoder"),
        pytest.param(SMALL, 80, refiner, id="refiner"),
        pytest.param(SMALL, 80, pitch, id="pitch"),
        pytest.param(SMALL, 80, harmonic, id="harmonic"),
        pytest.param(SPARSE, 80, harmonic, id="harmonic of two frames"),
        pytest.param(HIFIGAN, 80, lambda chain, x, inside: chain.vocoder(x, inside), id="hifigan"),
    ],
)
def test_no_stage_sees_the_padding_of_a_row(
    profile: Profile, width: int, stage: Callable[[Chain, Tensor, Tensor | None], Tensor]
) -> None:
    chain = lively(profile)
    x = torch.randn(2, 100, width)
    inside = torch.ones(2, 100, 1, dtype=torch.bool)
    inside[0, 60:] = False
    alone, whole, extended = stage(chain, x[:1, :60], None), stage(chain, x, None), stage(chain, x, inside)
    kept = alone.shape[1]
    assert_close(extended[:1, :kept], alone)
    assert_close(extended[1:], whole[1:])
    assert not torch.allclose(extended[:1, :kept], whole[:1, :kept], atol=1e-3)  # it would make a difference


def test_the_pitch_keeps_its_last_value_after_the_end_of_a_row() -> None:
    values = torch.tensor([[1.0, 2.0, 9.0, 9.0], [3.0, 4.0, 5.0, 6.0]])
    held = held_pitch(values, [Span(0, 1, 1), Span(1, 2, 1)])
    assert held.tolist() == [[1.0, 2.0, 2.0, 2.0], [3.0, 4.0, 5.0, 6.0]]


def test_neighbouring_chunks_agree_on_the_phase_around_their_border() -> None:
    torch.manual_seed(1)
    hop, rate, frames, chunk = 160, 16000, 200, 100
    curve = 80 + 200 * torch.rand(1, 1, 12)
    pitch_hz = torch.nn.functional.interpolate(curve, size=frames, mode="linear")[0]
    samples_hz = per_sample(pitch_hz, hop)
    left = chunk_phase(samples_hz, rate, hop, [Span(0, chunk, frames - chunk).scaled(hop)])
    right = chunk_phase(samples_hz, rate, hop, [Span(chunk, frames - chunk, 0).scaled(hop)])
    border, reach = chunk * hop, MARGIN_HOPS * hop
    around = slice(border - reach, border + reach)
    difference = (left - right)[0, around]
    assert torch.allclose(difference, difference.round(), atol=1e-9)
    assert torch.allclose(difference, difference[0], atol=1e-9)
    # and the correction never bends the pitch by more than a half cycle over the chunk
    natural = torch.cumsum(samples_hz / rate, 1)
    assert ((left - (natural - natural[:, :1])).abs() <= 0.5 + 1e-9).all()
