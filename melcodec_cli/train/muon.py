"""Muon: steps of matrices that go equally far in all directions of theirs, where AdamW's mostly go in a few.

Published by Keller Jordan (2024), and in torch, which computes in bfloat16: that takes many times as long on a
processor that has to emulate it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.RNNBase)
LEAST = 16  # rows and columns of a matrix; smaller ones have few directions
MOMENTUM = 0.95
ITERATIONS = 5  # of a polynomial that brings singular values near to 1, here with the published ...
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # ... coefficients
ADAMW_SIZE = 0.2  # usual size of AdamW's steps relative to its rate


def matrices_of(module: nn.Module) -> Iterator[tuple[nn.Parameter, int]]:
    """Weights of layers that are large enough, each with the number of matrices on top of each other in it: the gates
    of a recurrent layer."""
    for layer in module.modules():
        if isinstance(layer, LAYERS):
            for weight in layer.parameters(recurse=False):
                if weight.ndim > 1 and min(weight.flatten(1).shape) >= LEAST:
                    yield weight, len(weight) // layer.hidden_size if isinstance(layer, nn.RNNBase) else 1


class Muon(torch.optim.Optimizer):
    def __init__(self, matrices: list[tuple[nn.Parameter, int]], rate: float, weight_decay: float) -> None:
        super().__init__([weight for weight, _ in matrices], {"lr": rate, "weight_decay": weight_decay})
        self.parts = [parts for _, parts in matrices]

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        (group,) = self.param_groups
        rate, decay = group["lr"], group["weight_decay"]
        for weight, parts in zip(group["params"], self.parts, strict=True):
            if weight.grad is None:
                continue
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
            ahead = weight.grad.lerp(state["momentum"], MOMENTUM)
            steps = [orthogonal(part) for part in ahead.flatten(1).chunk(parts)]
            size = ADAMW_SIZE * max(steps[0].shape) ** 0.5
            weight.mul_(1 - rate * decay).add_(torch.cat(steps).view(weight.shape), alpha=-rate * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all the same, about 1."""
    linear, cubic, fifth = COEFFICIENTS
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=cubic, alpha=fifth), x, beta=linear)
    return x.T if matrix.shape[0] > matrix.shape[1] else x
