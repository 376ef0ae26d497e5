"""Batches in the order of their seeds; those made on the CPU for a GPU are drawn ahead by other processes."""

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
    """A source of batches, which depend only on the seed."""

    def draw(self, batch: int, samples: int, seed: int) -> Crops: ...

    def unlabelled(self, batch: int, samples: int, seed: int) -> Crops:
        """The same crops without labels, which may take time to make."""


class _Draws(Dataset[Crops]):
    def __init__(self, source: Source, batch: int, samples: int) -> None:
        self.source, self.batch, self.samples = source, batch, samples

    def __getitem__(self, seed: int) -> Crops:
        return self.source.draw(self.batch, self.samples, seed)


def drawn_ahead(
    source: Source, batch: int, samples: int, seeds: Iterator[int], workers: int
) -> Iterator[Crops]:
    """Yield batches, the same for any number of workers; without workers, each is drawn when it is needed."""
    loader = DataLoader(
        _Draws(source, batch, samples),
        batch_size=None,
        sampler=seeds,
        num_workers=workers,
        # Only a forked worker shares the corpus; others would get a copy through a pipe.
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_leave_signals_to_the_run,
    )
    return iter(loader)


def workers_for(source: Source, device: torch.device) -> int:
    """The number of workers: 0 if the GPU draws crops itself, if training uses the CPU, or without fork."""
    if device.type != "cuda" or isinstance(source, Batches) or not hasattr(os, "fork"):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores // ranks_here() - 1))


def _leave_signals_to_the_run(worker: int) -> None:
    """Ignore signals: Ctrl-C reaches workers too, but a run needs them until the current step ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
