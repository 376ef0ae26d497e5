"""Online clustering: keeps the running usage of a codebook, and moves codewords that are hardly used."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from melcodec_cli.layers.quantiser import Quantiser
from melcodec_cli.train.stage import Weights

SPREAD = 0.05  # of grown codewords around those that they come from, relative to their length


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


def grown(weights: Weights, own: Weights) -> Weights:
    """The weights with their codebooks as large as `own` are: codewords are repeated, each a little beside the first.

    So a model with more bits begins as good as the one that it comes from.
    """
    larger = dict(weights)
    for name, codebook in weights.items():
        wanted = own.get(name)
        if not name.endswith("codebook") or wanted is None or codebook.shape[1:] != wanted.shape[1:]:
            continue
        times = len(wanted) // len(codebook)
        if times < 2 or len(wanted) % len(codebook):
            continue
        chance = torch.Generator().manual_seed(0)
        aside = SPREAD * torch.randn(wanted.shape, generator=chance)
        aside[: len(codebook)] = 0
        length = codebook.norm(dim=-1, keepdim=True).float().repeat(times, 1)
        larger[name] = (codebook.float().repeat(times, 1) + aside * length).to(codebook.dtype)
        usage = name.removesuffix("codebook") + "usage"
        if usage in weights:
            larger[usage] = weights[usage].repeat(times) / times
    return larger
