"""Online clustering: keeps the running usage of a codebook, and moves codewords that are hardly used."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from melcodec_cli.layers.quantiser import Quantiser
from melcodec_cli.train.stage import Weights


@torch.no_grad()
def cluster(quantiser: Quantiser, indices: Tensor, points: Tensor, decay: float, moves: bool) -> None:
    """Follow a step that chose `indices` (...) for the encoder's points (..., lookup).

    decay: of the running usage.  moves: whether codewords move, or are left to the gradient alone.
    """
    share = torch.bincount(indices.flatten(), minlength=len(quantiser.usage)).float() / indices.numel()
    if dist.is_initialized():  # the codebook must stay the same on every GPU
        dist.all_reduce(share)
        share /= dist.get_world_size()
    quantiser.count(share, decay)
    if not moves:
        return
    flat = points.flatten(0, -2)
    anchors = flat[torch.randint(len(flat), (len(quantiser.usage),), device=flat.device)]
    if dist.is_initialized():
        dist.broadcast(anchors, 0)
    quantiser.revive(anchors, decay)


def usage_figures(indices: Tensor, codewords: int) -> dict[str, float]:
    """How evenly a codebook is used, for the log."""
    share = torch.bincount(indices.flatten(), minlength=codewords).double() / indices.numel()
    entropy = -(share * (share + 1e-12).log()).sum()
    return {"perplexity": entropy.exp().item(), "codewords": float((share > 0).sum())}


def with_usage(weights: Weights) -> Weights:
    """Add the usage of codewords, which a bundle lacks: if it were 0, clustering would move half of them."""
    codebook = weights["quantiser.codebook"]
    return {"quantiser.usage": codebook.new_full((len(codebook),), 1 / len(codebook)), **weights}
