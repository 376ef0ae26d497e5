"""Batches in the order of their seeds, for a GPU drawn ahead by other processes where they are made on the CPU."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Protocol, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from melcodec_cli.train.batches import Batches, Crops
from melcodec_cli.train.ranks import ranks_here

MOST_WORKERS = 16
CropsT = TypeVar("CropsT")


class Source(Protocol):
    """Whoever draws batches: what is drawn hangs on the seed alone."""

    def draw(self, batch: int, samples: int, seed: int) -> Crops: ...


class _Draws(Dataset[Crops]):
    def __init__(self, source: Source, batch: int, samples: int) -> None:
        self.source, self.batch, self.samples = source, batch, samples

    def __getitem__(self, seed: int) -> Crops:
        return self.source.draw(self.batch, self.samples, seed)


def drawn_ahead(
    source: Source, batch: int, samples: int, seeds: Iterator[int], workers: int
) -> Iterator[Crops]:
    """The same for every number of workers; none draws each batch when it is asked for."""
    loader = DataLoader(
        _Draws(source, batch, samples),
        batch_size=None,
        sampler=seeds,
        num_workers=workers,
        # A worker that is not forked would get the corpus through a pipe.
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_leave_signals_to_the_run,
    )
    return iter(loader)


def workers_for(source: Source, device: torch.device) -> int:
    """A GPU draws crops itself, a CPU has no core to spare, and where nothing forks, nobody draws ahead."""
    if device.type != "cuda" or isinstance(source, Batches) or not hasattr(os, "fork"):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores // ranks_here() - 1))


def _leave_signals_to_the_run(worker: int) -> None:
    """Ctrl-C reaches the whole group: a run that ends with a step needs its workers until then."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
