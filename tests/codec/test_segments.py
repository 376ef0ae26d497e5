"""Signals are cut into chunks with context, the same ones however the signal arrives."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from melcodec_cli.codec.rows import batches
from melcodec_cli.codec.segments import AudioSegments, DecodeJob, EncodeJob, IndexSegments
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Reach

CHUNK_FRAMES, FRAME_SAMPLES, ROWS = 5, 4, 3
Cuts = st.lists(st.integers(0, 70), max_size=5)
Reaches = st.builds(Reach, st.integers(0, 12), st.integers(0, 12))


def pieces(signal: np.ndarray, cuts: list[int]) -> Iterator[np.ndarray]:
    """The signal (channel, time), cut at these places."""
    return iter(np.split(signal, sorted(cut for cut in cuts if cut < signal.shape[1]), axis=1))


def expected_spans(frames: int, reach: Reach, first_frame: int = 0) -> list[Span]:
    """The spans of all chunks, each with as much context as there is."""
    spans = []
    for begin in range(first_frame, frames, CHUNK_FRAMES):
        kept = min(CHUNK_FRAMES, frames - begin)
        spans.append(Span(min(reach.before, begin), kept, min(reach.after, frames - begin - kept), begin))
    return spans


@given(samples=st.integers(0, 70), reach=Reaches, cuts=Cuts)
def test_audio_is_cut_into_full_chunks_and_a_rest_with_what_lies_around_them(
    samples: int, reach: Reach, cuts: list[int]
) -> None:
    signal = 1 + np.arange(2 * samples, dtype=np.float32).reshape(2, samples)
    segments = AudioSegments(2, CHUNK_FRAMES, FRAME_SAMPLES, reach)
    frames = -(-samples // FRAME_SAMPLES)
    jobs: list[EncodeJob] = []
    for piece in pieces(signal, cuts):
        jobs += segments.push(piece)
    jobs += segments.finish(frames)

    assert [job.span for job in jobs] == expected_spans(frames, reach)
    whole = np.pad(signal, ((0, 0), (0, frames * FRAME_SAMPLES - samples)))
    for job in jobs:
        assert job.frames == job.span.kept
        begin = job.span.first - job.span.before
        expected = whole[:, begin * FRAME_SAMPLES : (begin + job.span.total) * FRAME_SAMPLES]
        np.testing.assert_array_equal(job.audio, expected)


def test_a_chunk_leaves_as_soon_as_its_look_ahead_is_there() -> None:
    segments = AudioSegments(1, CHUNK_FRAMES, FRAME_SAMPLES, Reach(9, 3))
    assert not list(segments.push(np.zeros((1, 31), np.float32)))
    assert len(list(segments.push(np.zeros((1, 1), np.float32)))) == 1


def test_indices_leave_as_soon_as_their_look_ahead_is_there() -> None:
    segments = IndexSegments(1, ROWS, 0, CHUNK_FRAMES, Reach(9, 3), 0)
    no_globals = np.zeros((1, 0), int)
    assert not list(segments.push(np.zeros((1, 7, ROWS), int), no_globals))
    assert len(list(segments.push(np.zeros((1, 1, ROWS), int), no_globals))) == 1


@given(frames=st.integers(0, 40), reach=Reaches, first_chunk=st.integers(0, 8))
def test_indices_come_back_as_the_chunks_of_the_file_with_their_neighbours(
    frames: int, reach: Reach, first_chunk: int
) -> None:
    first_frame = first_chunk * CHUNK_FRAMES
    indices = np.arange(2 * frames * ROWS).reshape(2, frames, ROWS)
    globals_ = np.arange(2 * 3 * 8).reshape(8, 2, 3)  # (chunk, channel, count)
    segments = IndexSegments(2, ROWS, 3, CHUNK_FRAMES, reach, first_frame)
    jobs: list[DecodeJob] = []
    for chunk in range(segments.first_needed_frame // CHUNK_FRAMES, -(-frames // CHUNK_FRAMES)):
        begin = max(segments.first_needed_frame, chunk * CHUNK_FRAMES)
        jobs += segments.push(indices[:, begin : (chunk + 1) * CHUNK_FRAMES], globals_[chunk])
    jobs += segments.finish()

    assert [job.span for job in jobs] == expected_spans(frames, reach, first_frame)
    for job in jobs:
        assert job.frames == job.span.kept
        begin = job.span.first - job.span.before
        np.testing.assert_array_equal(job.indices, indices[:, begin : begin + job.span.total])
        for place in range(job.span.total):
            chunk = (begin + place) // CHUNK_FRAMES
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
