"""What causal layers remember of a stream that comes in pieces."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Memory:
    """The latest inputs of each layer.  One memory serves one stream."""

    def __init__(self) -> None:
        self._latest: dict[nn.Module, Tensor] = {}

    def extended(self, layer: nn.Module, x: Tensor, count: int) -> Tensor:
        """`x` (batch, place, ...) after the `count` places that came before it, which are zeros at the beginning."""
        before = self._latest.get(layer)
        if before is None:
            before = x.new_zeros(len(x), count, *x.shape[2:])
        whole = torch.cat([before, x], 1)
        self._latest[layer] = whole[:, len(whole[0]) - count :]
        return whole


def extended(layer: nn.Module, x: Tensor, count: int, memory: Memory | None) -> Tensor:
    """`x` after what came before it: what the memory holds or, without one, zeros."""
    return (memory or Memory()).extended(layer, x, count)
