"""Training in several processes, one per GPU, started by torchrun."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

# Other ranks wait while rank 0 decodes a corpus; if it fails, torchrun ends them.
PATIENCE = timedelta(days=1)


def join_ranks() -> torch.device | None:
    """Join the other processes and return our device; None if not started by torchrun."""
    if "LOCAL_RANK" not in os.environ:
        return None
    # Import this before there is a group, which its functions would keep as a default argument.  Otherwise gloo's
    # threads would outlive the group, and one that frees a tensor while Python exits aborts the process.
    import torch.distributed.nn.functional  # noqa: F401

    on_gpu = torch.cuda.is_available()
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    atexit.register(dist.destroy_process_group)
    if not on_gpu:
        return torch.device("cpu")
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]))


def is_first() -> bool:
    """Whether this process is rank 0, which writes files and messages."""
    return not dist.is_initialized() or dist.get_rank() == 0


def ranks_here() -> int:
    """Number of processes that share this machine's cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


@contextmanager
def first_of_the_ranks() -> Iterator[None]:
    """Let rank 0 run this block first, so that the others find what it made."""
    waits = dist.is_initialized() and dist.get_rank() > 0
    if waits:
        dist.barrier()
    yield
    if dist.is_initialized() and not waits:
        dist.barrier()


def agreed(elapsed_s: float, signal_number: int, device: torch.device) -> tuple[float, int]:
    """Rank 0's clock, and a signal that any rank has received, so that all ranks stop at the same step."""
    if not dist.is_initialized():
        return elapsed_s, signal_number
    told = [elapsed_s if is_first() else 0.0, signal_number]
    both = torch.tensor(told, dtype=torch.float64, device=device)
    dist.all_reduce(both, dist.ReduceOp.MAX)
    return both[0].item(), int(both[1].item())


def share_gradients(parameters: list[nn.Parameter]) -> None:
    """Average the gradients over all ranks, in one message."""
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
