"""Rows in batches, as on a GPU, give the same results as each row alone; here both run on the CPU."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from melcodec_cli.codec.rows import ChunkCodes, Decoder, Encoder, Engine
from melcodec_cli.codec.segments import AudioSegments, DecodeJob, EncodeJob, IndexSegments
from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.system import ABSENT, Model
from tests.fmel.chunks import SMALL, SPARSE, lively, speechlike, tolerance_of, with_even_pitch

pytestmark = pytest.mark.slow

# Channels and frames of recordings: chunks of 40 frames at the beginning, in the middle and at the end of a stream, of
# equal and unequal lengths, with as much context as there is.
RECORDINGS = [(1, 120), (2, 120), (1, 40), (1, 7), (1, 95), (2, 7), (1, 1)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def model_of(profile: Profile) -> Model:
    assert profile.timbre is not None and profile.search.choices > 1
    return Model(with_even_pitch(lively(profile)), "small", bytes(4), bytes(2))


def encode_jobs(model: Model) -> list[EncodeJob]:
    shape = model.system.shape
    jobs: list[EncodeJob] = []
    for number, (channels, frames) in enumerate(RECORDINGS):
        segments = AudioSegments(channels, shape.chunk_frames, shape.frame_samples, shape.encode)
        audio = speechlike((frames + number) * shape.frame_samples).numpy()[-frames * shape.frame_samples :]
        levels = np.array([[1.0], [-0.3]], np.float32)[:channels] / (1 + number)
        jobs += [*segments.push(levels * audio), *segments.finish(frames)]
    return jobs


def decode_jobs(decoder: Decoder) -> list[DecodeJob]:
    shape = decoder.shape
    random = np.random.default_rng(4)
    jobs: list[DecodeJob] = []
    for channels, frames in RECORDINGS:
        count = shape.globals_count
        segments = IndexSegments(channels, shape.rows, count, shape.chunk_frames, decoder.reach, 0)
        for begin in range(0, frames, shape.chunk_frames):
            kept = min(shape.chunk_frames, frames - begin)
            indices = random.integers(0, shape.codewords, (channels, kept, shape.rows))
            if frames == 95 and begin:
                indices[:, 5:9] = ABSENT
            jobs += segments.push(indices, random.integers(0, 1 << shape.globals_bits, (channels, count)))
        jobs += segments.finish()
    return jobs


def in_batches(
    engine: Engine, jobs: Sequence[Any], budget: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Any], list[int]]:
    """The results, and how many rows each batch had."""
    sizes = []
    run = engine._run_rows  # type: ignore[attr-defined]

    def watched(rows: Sequence[Any]) -> Any:
        sizes.append(len(rows))
        return run(rows)

    monkeypatch.setattr(engine, "_on_cpu", False)
    monkeypatch.setattr(engine, "_run_rows", watched)
    monkeypatch.setattr("melcodec_cli.codec.rows.GPU_BATCH_FRAMES", budget)
    assert engine.workers == 1 and engine.window_frames >= budget
    return engine.start(jobs).results(), sizes  # type: ignore[attr-defined]


BUDGETS = pytest.mark.parametrize("budget", [40_000, 300], ids=["one batch", "several"])


@BUDGETS
def test_rows_are_coded_together_as_each_alone(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(SMALL)
    jobs, options = encode_jobs(model), {"effort": 4}
    alone: list[ChunkCodes] = Encoder(lambda: model, options, 1).start(jobs).results()
    together, sizes = in_batches(Encoder(lambda: model, options), jobs, budget, monkeypatch)
    rows = sum(len(job.audio) for job in jobs)
    assert sum(sizes) == rows and max(sizes) > 1 and (len(sizes) == 1) == (budget == 40_000)
    for one, other, job in zip(together, alone, jobs, strict=True):
        assert one.indices.shape == (len(job.audio), job.frames, 1)
        np.testing.assert_array_equal(one.globals_, other.globals_)
    # Some processors round a product otherwise in a batch than alone, which decides between two equally good codewords.
    both = zip(together, alone, strict=True)
    assert np.concatenate([(one.indices == other.indices).ravel() for one, other in both]).mean() > 0.9
    # It says something only if timbres differ, and if the search finds others than the nearest.
    assert len({codes.globals_.tobytes() for codes in alone if codes.globals_ is not None}) > 3
    nearest = Encoder(lambda: model, {"effort": 1}, 1).start(jobs).results()
    plainly, _ = in_batches(Encoder(lambda: model, {"effort": 1}), jobs, budget, monkeypatch)
    for one, other in zip(plainly, nearest, strict=True):  # without a search, nothing is as close
        np.testing.assert_array_equal(one.indices, other.indices)
    changed = [(one.indices != other.indices).any() for one, other in zip(nearest, alone, strict=True)]
    assert sum(changed) > len(jobs) / 2


def loudest(audio: Sequence[NDArray[np.float32]]) -> float:
    return max(float(np.abs(each).max()) for each in audio)


@BUDGETS
@pytest.mark.parametrize(
    ("profile", "steps"), [(SMALL, 2), (SPARSE, 0)], ids=["harmonic", "two frames, looped noise"]
)
def test_rows_sound_together_as_each_alone(
    budget: int, profile: Profile, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(profile)
    decoder = Decoder(lambda: model, {"steps": steps}, 1)
    jobs = decode_jobs(decoder)
    alone = decoder.start(jobs).results()
    together, sizes = in_batches(Decoder(lambda: model, {"steps": steps}), jobs, budget, monkeypatch)
    assert max(sizes) > 1 and (len(sizes) == 1) == (budget == 40_000)
    assert isinstance(model.system, Chain)
    tolerance = tolerance_of(model.system) * loudest(alone)
    for one, other, job in zip(together, alone, jobs, strict=True):
        assert one.shape == (len(job.indices), job.frames * decoder.shape.frame_samples)
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)
    assert all(np.abs(audio).max() > 100 * tolerance for audio in alone)
