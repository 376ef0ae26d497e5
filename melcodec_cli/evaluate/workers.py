"""Measuring on all cores: a process each, because the packages that measure hold the interpreter's lock.

Every figure is computed on one thread, so that it is the same however many processes there are; and several
threads would wait for each other wherever something else keeps the cores busy.
"""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import Any, TypeVar

import torch

from melcodec_cli.layers.threads import one_thread

MOST = 8  # each holds half a gigabyte of libraries
WORTH_S = (
    150  # of speech through one system, which is measured in about the time that a process takes to start
)
JUDGED = 10  # times as long does it take with the judges

Result = TypeVar("Result")
Map = Callable[..., Iterator[Any]]


def worker_count(seconds: float, threads: int | None, judged: bool = False) -> int:
    """For so much speech; 1 is this process alone."""
    worth_s = WORTH_S / JUDGED if judged else WORTH_S
    return max(1, min(threads or torch.get_num_threads(), MOST, int(seconds / worth_s)))


@contextmanager
def workers(count: int) -> Iterator[Map]:
    """A `map` over so many processes, whose results come in order."""
    if count == 1:
        yield _map_here
        return
    pool = ProcessPoolExecutor(count, get_context("spawn"), _begin)
    try:
        yield pool.map
    except BaseException:
        for process in active_children():  # rather than wait for what nobody will look at
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _map_here(function: Callable[..., Result], *arguments: Iterable[Any]) -> Iterator[Result]:
    for each in zip(*arguments, strict=True):
        with one_thread():  # but not for the coding, whose time is taken
            result = function(*each)
        yield result


def _begin() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of the packages that measure, about themselves and each other
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of them; the parent ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Even with one that was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
