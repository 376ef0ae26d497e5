"""Runs jobs of many files through a system. Every channel of a job is a row.

On a CPU every row runs alone, on one thread, several of them side by side. So its result is bit-identical whatever runs
beside it and on however many threads. With all threads on one batch instead, they would wait for one another after each
of hundreds of small operations: no faster on an idle machine, and several times slower on a busy one, where a thread
that others wait for may not be running.

A GPU needs many rows at once. They are sorted by length into batches that fit a memory budget. Shorter rows are padded
on the right, which the system hides from its layers: only the rounding changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, Generic, TypeVar

import mlcfile
import numpy as np
from numpy.typing import NDArray

from melcodec_cli.codec.segments import DecodeJob, EncodeJob
from melcodec_cli.systems.system import Codes, Model, Reach, Shape, System

# Frames, context included, that a stage processes at once.
GPU_BATCH_FRAMES = 40_000
# Sorting by length needs several batches to choose from.
GPU_BATCHES_PER_WINDOW = 4
# Frames per thread in a window: enough that the window's last row does not keep the others waiting for long.
CPU_FRAMES_PER_WORKER = 1400

Row = TypeVar("Row")
RowResult = TypeVar("RowResult")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ChunkCodes:
    """The codes of a chunk, all channels together."""

    indices: NDArray[np.int64]  # (channel, frame, row)
    globals_: NDArray[np.int64] | None  # (channel, count)


@dataclass(frozen=True)
class Work(Generic[Result]):
    """Jobs under way."""

    results: Callable[[], list[Result]]  # waits for all; in the order of the jobs
    futures: Sequence[Future[Any]]

    def cancel(self) -> None:
        for future in self.futures:
            future.cancel()


class Engine:
    """Holds a model, which is loaded when first needed because that imports torch."""

    def __init__(
        self,
        load: Callable[[], Model],
        options: Mapping[str, int] | None = None,
        threads: int | None = None,
        load_tables: Callable[[], mlcfile.Tables | None] = lambda: None,
    ):
        """options: the system's, by name; threads: of the CPU, by default as many as torch would use."""
        self._load = load
        self.options = dict(options or {})
        self._threads = threads
        self._load_tables = load_tables

    @cached_property
    def tables(self) -> mlcfile.Tables | None:
        """The tables for entropy coding; those of a decoder are the ones that its streams name."""
        return self._load_tables()

    @cached_property
    def model(self) -> Model:
        return self._load()

    @property
    def system(self) -> System:
        return self.model.system

    @cached_property
    def shape(self) -> Shape:
        return self.system.shape

    @cached_property
    def workers(self) -> int:
        """The number of batches that run at once."""
        import torch

        return (self._threads or torch.get_num_threads()) if self._on_cpu else 1

    @property
    def window_frames(self) -> int:
        """The number of frames to gather for a window."""
        if self._on_cpu:
            return CPU_FRAMES_PER_WORKER * self.workers
        return GPU_BATCH_FRAMES * GPU_BATCHES_PER_WINDOW

    @cached_property
    def _on_cpu(self) -> bool:
        return bool(self.system.device.type == "cpu")

    def _start(
        self,
        rows: Sequence[Row],
        lengths: Sequence[int],
        run: Callable[[Sequence[Row]], list[RowResult]],
        regroup: Callable[[Iterator[RowResult]], list[Result]],
    ) -> Work[Result]:
        """Starts the rows through `run`, each alone or in batches of similar length."""
        parts = (
            [[position] for position in range(len(rows))]
            if self._on_cpu
            else list(batches(lengths, GPU_BATCH_FRAMES))
        )
        futures = [self._pool.submit(run, [rows[position] for position in part]) for part in parts]

        def results() -> list[Result]:
            by_position: dict[int, RowResult] = {}
            for part, future in zip(parts, futures, strict=True):
                by_position.update(zip(part, future.result(), strict=True))
            return regroup(by_position[position] for position in range(len(rows)))

        return Work(results, futures)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        import torch

        one_thread = partial(torch.set_num_threads, 1) if self._on_cpu else None
        return ThreadPoolExecutor(self.workers, "codec", one_thread)


class Encoder(Engine):
    """Runs chunks of audio through the first half of a system."""

    def start(self, jobs: Sequence[EncodeJob]) -> Work[ChunkCodes]:
        rows = [(job, row) for job in jobs for row in job.audio]

        def regroup(coded: Iterator[Codes]) -> list[ChunkCodes]:
            return [_stacked(list(islice(coded, len(job.audio)))) for job in jobs]

        return self._start(rows, [job.span.total for job, _ in rows], self._run_rows, regroup)

    def _run_rows(self, rows: Sequence[tuple[EncodeJob, NDArray[np.float32]]]) -> list[Codes]:
        audio, spans = [row for _, row in rows], [job.span for job, _ in rows]
        return self.system.encode(audio, spans, self.options, [job.sent for job, _ in rows])


class Decoder(Engine):
    """Runs indices through the second half of a system."""

    @cached_property
    def reach(self) -> Reach:
        return self.system.decode_reach(self.options)

    def start(self, jobs: Sequence[DecodeJob]) -> Work[NDArray[np.float32]]:
        """Decodes each job to audio (channel, frames * frame_samples); silence where there is nothing to decode."""
        present = [(job.indices >= 0).any(axis=(1, 2)) for job in jobs]
        rows = [
            (job, channel)
            for job, there in zip(jobs, present, strict=True)
            for channel in np.flatnonzero(there).tolist()
        ]

        def regroup(decoded: Iterator[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
            frame_samples = self.shape.frame_samples
            audio = [np.zeros((len(job.indices), job.frames * frame_samples), np.float32) for job in jobs]
            for channels, there in zip(audio, present, strict=True):
                for channel in np.flatnonzero(there).tolist():
                    channels[channel] = next(decoded)
            return audio

        return self._start(rows, [job.span.total for job, _ in rows], self._run_rows, regroup)

    def _run_rows(self, rows: Sequence[tuple[DecodeJob, int]]) -> list[NDArray[np.float32]]:
        codes = [
            Codes(job.indices[channel], job.globals_[channel] if self.shape.globals_count else None)
            for job, channel in rows
        ]
        return self.system.decode(codes, [job.span for job, _ in rows], self.options)


def _stacked(rows: Sequence[Codes]) -> ChunkCodes:
    globals_ = [row.globals_ for row in rows if row.globals_ is not None]
    return ChunkCodes(np.stack([row.indices for row in rows]), np.stack(globals_) if globals_ else None)


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yields the positions of each batch's rows, longest first; padded to its longest row, a batch fits the budget."""
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    while order:
        size = max(1, budget // lengths[order[0]])
        yield order[:size]
        order = order[size:]
