"""Several processes, one for each GPU, as torchrun starts them."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

# The others wait while rank 0 decodes a corpus; torchrun ends them where it fails.
PATIENCE = timedelta(days=1)


def join_ranks() -> torch.device | None:
    """Under torchrun: meet the other processes and say which device is ours."""
    if "LOCAL_RANK" not in os.environ:
        return None
    on_gpu = torch.cuda.is_available()
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    atexit.register(dist.destroy_process_group)
    if not on_gpu:
        return torch.device("cpu")
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]))


def is_first() -> bool:
    """Whether this process is the one that writes what there is to be one of."""
    return not dist.is_initialized() or dist.get_rank() == 0


@contextmanager
def first_of_the_ranks() -> Iterator[None]:
    """Rank 0 goes through first and the others after it: what it has made is then there."""
    waits = dist.is_initialized() and dist.get_rank() > 0
    if waits:
        dist.barrier()
    yield
    if dist.is_initialized() and not waits:
        dist.barrier()
