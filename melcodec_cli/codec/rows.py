"""Jobs through the chain, from many files at a time.  Every channel of a job is a row.

On a CPU every row runs alone, on one thread, several of them side by side. So its result, to the last bit, hangs on
nothing but itself: not on its neighbours, nor on the number of threads. The other way, all threads on one batch, has
them wait for one another after each of hundreds of small operations: no faster on an idle machine, and several times
slower on a busy one, where a thread that others wait for may not be running.

A GPU needs many rows at once. They are sorted by length into batches within a budget of memory. There a shorter row is
extended on the right, which the chain hides from its layers: nothing changes but the rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.codec.segments import DecodeJob, EncodeJob

if TYPE_CHECKING:
    from torch import Tensor

    from melcodec_cli.systems.fmel.chain import Chain

# Tokens, context included, that go through a stage at once.
GPU_BATCH_TOKENS = 40_000
# The sorting by length finds neighbours of equal length only if there is a choice.
GPU_BATCHES_PER_WINDOW = 4
# Tokens that a window has for each thread: enough for the last row of it not to keep the others waiting for long.
CPU_TOKENS_PER_WORKER = 1400

Row = TypeVar("Row")
RowResult = TypeVar("RowResult")
Result = TypeVar("Result")


class Codes(NamedTuple):
    """Of one chunk."""

    indices: NDArray[np.int64]  # (channel, token)
    globals_: NDArray[np.int64]  # (channel, count)


@dataclass(frozen=True)
class Work(Generic[Result]):
    """Jobs under way."""

    results: Callable[[], list[Result]]  # waits for them; in the order of the jobs
    futures: Sequence[Future[Any]]

    def cancel(self) -> None:
        for future in self.futures:
            future.cancel()


class Engine:
    """Has a chain that is loaded when it is first needed, which brings torch with it."""

    def __init__(self, load: Callable[[], Chain], threads: int | None = None):
        """threads: of the CPU; as many as torch would use when not told."""
        self._load = load
        self._threads = threads

    @cached_property
    def chain(self) -> Chain:
        return self._load()

    @cached_property
    def workers(self) -> int:
        """Batches that run at a time."""
        import torch

        return (self._threads or torch.get_num_threads()) if self._on_cpu else 1

    @property
    def window_tokens(self) -> int:
        """How much work to gather."""
        return (
            CPU_TOKENS_PER_WORKER * self.workers
            if self._on_cpu
            else GPU_BATCH_TOKENS * GPU_BATCHES_PER_WINDOW
        )

    @cached_property
    def _on_cpu(self) -> bool:
        return self.chain.device.type == "cpu"

    def _start(
        self,
        rows: Sequence[Row],
        lengths: Sequence[int],
        run: Callable[[Sequence[Row]], list[RowResult]],
        regroup: Callable[[Iterator[RowResult]], list[Result]],
    ) -> Work[Result]:
        """The rows on their way through `run`, each alone or in batches of similar length."""
        parts = (
            [[position] for position in range(len(rows))]
            if self._on_cpu
            else list(batches(lengths, GPU_BATCH_TOKENS))
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
    """Runs chunks of audio through the first half of a chain, with so many codewords to choose from."""

    def __init__(self, load: Callable[[], Chain], choices: int | None = None, threads: int | None = None):
        super().__init__(load, threads)
        self._choices = choices

    def start(self, jobs: Sequence[EncodeJob]) -> Work[Codes]:
        rows = [(job, row) for job in jobs for row in job.audio]

        def regroup(coded: Iterator[Codes]) -> list[Codes]:
            channels = (list(islice(coded, job.audio.shape[0])) for job in jobs)
            return [
                Codes(np.stack([row.indices for row in rows]), np.stack([row.globals_ for row in rows]))
                for rows in channels
            ]

        return self._start(rows, [job.span.total for job, _ in rows], self._run_rows, regroup)

    def _run_rows(self, rows: Sequence[tuple[EncodeJob, NDArray[np.float32]]]) -> list[Codes]:
        coded = self.chain.encode(
            _padded([row for _, row in rows]),
            [job.first_token for job, _ in rows],
            [job.span for job, _ in rows],
            self._choices,
        )
        return [
            Codes(indices.numpy(), np.zeros(0, np.int64) if globals_ is None else globals_.numpy())
            for indices, globals_ in coded
        ]


class Decoder(Engine):
    """Runs tokens through the second half of a chain, with so many steps of its refiner."""

    def __init__(self, load: Callable[[], Chain], steps: int | None = None, threads: int | None = None):
        super().__init__(load, threads)
        self._steps = steps

    @property
    def steps(self) -> int:
        if self._steps is None or self.chain.profile.refiner is None:
            return self.chain.default_steps
        return self._steps

    @property
    def codewords(self) -> int:
        return self.chain.profile.coder.codewords

    @property
    def context_tokens(self) -> int:
        return self.chain.decode_context_tokens(self.steps)

    def start(self, jobs: Sequence[DecodeJob]) -> Work[NDArray[np.float32]]:
        """Audio (channel, tokens * token_samples) of each job; where nothing is there to decode, silence."""
        present = [(job.indices >= 0).any(axis=1) for job in jobs]
        rows = [
            (job, channel)
            for job, there in zip(jobs, present, strict=True)
            for channel in np.flatnonzero(there).tolist()
        ]

        def regroup(decoded: Iterator[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
            token_samples = self.chain.profile.token_samples
            audio = [np.zeros((len(job.indices), job.tokens * token_samples), np.float32) for job in jobs]
            for channels, there in zip(audio, present, strict=True):
                for channel in np.flatnonzero(there).tolist():
                    channels[channel] = next(decoded)
            return audio

        return self._start(rows, [job.span.total for job, _ in rows], self._run_rows, regroup)

    def _run_rows(self, rows: Sequence[tuple[DecodeJob, int]]) -> list[NDArray[np.float32]]:
        profile = self.chain.profile
        audio = self.chain.decode(
            _padded([job.indices[channel] for job, channel in rows]),
            _padded([job.globals_[channel] for job, channel in rows]) if profile.timbre else None,
            [job.first_token * profile.coder.token_frames for job, _ in rows],
            [job.span for job, _ in rows],
            self.steps,
        )
        return [row.numpy() for row in audio]


def _padded(rows: Sequence[NDArray[Any]]) -> Tensor:
    """Side by side, with zeros behind those that are shorter: (row, longest, ...)."""
    import torch

    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions of the rows of each batch, longest first; padded to its longest row a batch keeps to the budget."""
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    while order:
        size = max(1, budget // lengths[order[0]])
        yield order[:size]
        order = order[size:]
