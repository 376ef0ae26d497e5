"""Signals are cut into chunks with context, the same ones however the signal arrives."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from melcodec_cli.codec.rows import batches
from melcodec_cli.codec.segments import AudioSegments, DecodeJob, EncodeJob, TokenSegments
from melcodec_cli.systems.span import Span

CHUNK_TOKENS, TOKEN_SAMPLES = 5, 4
Cuts = st.lists(st.integers(0, 70), max_size=5)


def pieces(signal: np.ndarray, cuts: list[int]) -> Iterator[np.ndarray]:
    """The signal (channel, time), cut at these places."""
    return iter(np.split(signal, sorted(cut for cut in cuts if cut < signal.shape[1]), axis=1))


def expected_spans(tokens: int, context: int, first_token: int = 0) -> list[Span]:
    """Of all chunks: as much context as there is."""
    spans = []
    for begin in range(first_token, tokens, CHUNK_TOKENS):
        kept = min(CHUNK_TOKENS, tokens - begin)
        spans.append(Span(min(context, begin), kept, min(context, tokens - begin - kept)))
    return spans


@given(samples=st.integers(0, 70), context=st.integers(0, 12), cuts=Cuts)
def test_audio_is_cut_into_full_chunks_and_a_rest_with_what_lies_around_them(
    samples: int, context: int, cuts: list[int]
) -> None:
    signal = 1 + np.arange(2 * samples, dtype=np.float32).reshape(2, samples)
    segments = AudioSegments(2, CHUNK_TOKENS, TOKEN_SAMPLES, context)
    tokens = -(-samples // TOKEN_SAMPLES)
    jobs: list[EncodeJob] = []
    for piece in pieces(signal, cuts):
        jobs += segments.push(piece)
    jobs += segments.finish(tokens)

    assert [job.span for job in jobs] == expected_spans(tokens, context)
    whole = np.pad(signal, ((0, 0), (0, tokens * TOKEN_SAMPLES - samples)))
    for number, job in enumerate(jobs):
        assert job.first_token == number * CHUNK_TOKENS
        begin = job.first_token - job.span.before
        expected = whole[:, begin * TOKEN_SAMPLES : (begin + job.span.total) * TOKEN_SAMPLES]
        np.testing.assert_array_equal(job.audio, expected)


def test_a_chunk_leaves_as_soon_as_its_look_ahead_is_there() -> None:
    segments = AudioSegments(1, CHUNK_TOKENS, TOKEN_SAMPLES, context_tokens=3)
    assert not list(segments.push(np.zeros((1, 31), np.float32)))
    assert len(list(segments.push(np.zeros((1, 1), np.float32)))) == 1


@given(tokens=st.integers(0, 40), context=st.integers(1, 12), first_chunk=st.integers(0, 8))
def test_tokens_come_back_as_the_chunks_of_the_file_with_their_neighbours(
    tokens: int, context: int, first_chunk: int
) -> None:
    first_token = first_chunk * CHUNK_TOKENS
    indices = np.arange(2 * tokens).reshape(2, tokens)
    globals_ = np.arange(2 * 3 * 8).reshape(8, 2, 3)  # (chunk, channel, count)
    segments = TokenSegments(2, 3, CHUNK_TOKENS, context, first_token)
    jobs: list[DecodeJob] = []
    for chunk in range(segments.first_needed_token // CHUNK_TOKENS, -(-tokens // CHUNK_TOKENS)):
        begin = max(segments.first_needed_token, chunk * CHUNK_TOKENS)
        jobs += segments.push(indices[:, begin : (chunk + 1) * CHUNK_TOKENS], globals_[chunk])
    jobs += segments.finish()

    assert [job.span for job in jobs] == expected_spans(tokens, context, first_token)
    for number, job in enumerate(jobs, first_chunk):
        assert job.first_token == number * CHUNK_TOKENS
        begin = job.first_token - job.span.before
        np.testing.assert_array_equal(job.indices, indices[:, begin : begin + job.span.total])
        for place in range(job.span.total):
            chunk = (begin + place) // CHUNK_TOKENS
            np.testing.assert_array_equal(job.globals_[:, place], globals_[chunk])


@given(lengths=st.lists(st.integers(1, 100), max_size=30), budget=st.integers(1, 300))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    parts = list(batches(lengths, budget))
    assert sorted(position for part in parts for position in part) == list(range(len(lengths)))
    for part in parts:
        longest = max(lengths[position] for position in part)
        assert len(part) == 1 or len(part) * longest <= budget
    longest_first = [lengths[position] for part in parts for position in part]
    assert longest_first == sorted(lengths, reverse=True)
