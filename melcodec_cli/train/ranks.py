"""Several processes, one for each GPU, as torchrun starts them."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

# The others wait while rank 0 decodes a corpus; torchrun ends them where it fails.
PATIENCE = timedelta(days=1)


def join_ranks() -> torch.device | None:
    """Under torchrun: meet the other processes and say which device is ours."""
    if "LOCAL_RANK" not in os.environ:
        return None
    # Its functions take the group that there is when it is imported as a default and would keep it: gloo's threads
    # would then outlive the group, and one that lets go of a tensor while Python ends aborts the process.
    import torch.distributed.nn.functional  # noqa: F401

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


def ranks_here() -> int:
    """Processes that share this machine's cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


@contextmanager
def first_of_the_ranks() -> Iterator[None]:
    """Rank 0 goes through first and the others after it: what it has made is then there."""
    waits = dist.is_initialized() and dist.get_rank() > 0
    if waits:
        dist.barrier()
    yield
    if dist.is_initialized() and not waits:
        dist.barrier()


def agreed(elapsed_s: float, signal_number: int, device: torch.device) -> tuple[float, int]:
    """Rank 0's clock, and a signal that any of the ranks has got, so that all of them stop at the same step."""
    if not dist.is_initialized():
        return elapsed_s, signal_number
    told = [elapsed_s if is_first() else 0.0, signal_number]
    both = torch.tensor(told, dtype=torch.float64, device=device)
    dist.all_reduce(both, dist.ReduceOp.MAX)
    return both[0].item(), int(both[1].item())


def share_gradients(parameters: list[nn.Parameter]) -> None:
    """Mean over the ranks, in one message."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    offset = 0
    for gradient in gradients:
        mean = flat[offset : offset + gradient.numel()].view_as(gradient) / dist.get_world_size()
        gradient.copy_(mean)
        offset += gradient.numel()
