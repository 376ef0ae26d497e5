"""What the layers of a live stream remember, so that it can be coded a few frames at a time.

Every layer has one way to compute, for whole stretches and for streams.  Without a memory, the stretch is all there is,
with zeros before and after it.  With a memory, the input continues what this stream's earlier calls brought; a layer
that looks ahead returns fewer frames than it was given until its future has arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Memory:
    """What each layer holds of one stream."""

    def __init__(self) -> None:
        self.held: dict[nn.Module, Any] = {}

    def branched(self, rows: int, branches: int) -> Memory:
        """A memory of so many branches of each row, one after the other, which all begin with what is held of it."""
        return self._each(lambda x: x.unflatten(0, (rows, -1)).repeat_interleave(branches, 0).flatten(0, 1))

    def followed(self, branches: int, chosen: Tensor) -> Memory:
        """A memory of one branch of each row: chosen (row,)."""
        row = torch.arange(len(chosen), device=chosen.device)
        return self._each(lambda x: x.unflatten(0, (len(chosen), branches, -1))[row, chosen].flatten(0, 1))

    def _each(self, changed: Callable[[Tensor], Tensor]) -> Memory:
        """A layer holds a tensor, or several of them and numbers that all rows share."""

        def of(held: Any) -> Any:
            if isinstance(held, tuple):
                return tuple(map(of, held))
            return changed(held) if isinstance(held, Tensor) else held

        other = Memory()
        other.held = {layer: of(held) for layer, held in self.held.items()}
        return other


def surrounded(
    layer: nn.Module, x: Tensor, before: int, ahead: int, memory: Memory | None, stride: int = 1
) -> Tensor:
    """Add the frames around x (batch, frame, ...) that a window of `before` + `stride` + `ahead` frames covers.

    The window moves by `stride`.  The result is empty if it has not yet arrived as a whole.
    """
    if memory is None:
        return _with_zeros(x, before, ahead)
    held = memory.held.get(layer)
    joined = _with_zeros(x, before, 0) if held is None else torch.cat([held, x], 1)
    places = max(0, (joined.shape[1] - before - ahead) // stride)
    memory.held[layer] = joined[:, places * stride :]
    return joined[:, : places * stride + before + ahead if places else 0]


def delayed(layer: nn.Module, x: Tensor, frames: int, memory: Memory | None) -> Tensor:
    """The oldest `frames` frames of x that this layer has not yet returned."""
    if memory is None:
        return x
    held = memory.held.get(layer)
    queue = x if held is None else torch.cat([held, x], 1)
    memory.held[layer] = queue[:, frames:]
    return queue[:, :frames]


def _with_zeros(x: Tensor, before: int, after: int) -> Tensor:
    """x (batch, frame, ...) between frames of zeros."""
    return nn.functional.pad(x, (0, 0) * (x.dim() - 2) + (before, after)) if before or after else x
