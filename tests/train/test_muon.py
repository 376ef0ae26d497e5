"""The optimiser of matrices."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from melcodec_cli.train.muon import Muon, matrices_of, orthogonal


@pytest.mark.parametrize("shape", [(24, 80), (80, 24), (40, 40)])
def test_a_step_goes_equally_far_in_all_directions(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    left, right = (torch.linalg.qr(torch.randn(size, min(shape)))[0] for size in shape)
    values = torch.logspace(0, -2, min(shape))  # one direction counts a hundred times as much as another
    found = torch.linalg.svdvals(orthogonal(left @ values.diag() @ right.T))
    assert found.min() > 0.5 and found.max() < 1.3


def test_it_takes_the_weights_of_layers_that_are_large_enough() -> None:
    module = nn.ModuleDict(
        {
            "gates": nn.GRU(16, 16),
            "conv": nn.Conv1d(8, 32, 3),
            "small": nn.Linear(64, 4),
            "table": nn.Embedding(64, 32),
            "norm": nn.LayerNorm((16, 16)),
        }
    )
    names = {id(weight): name for name, weight in module.named_parameters()}
    found = {names[id(weight)]: parts for weight, parts in matrices_of(module)}
    assert found == {"gates.weight_ih_l0": 3, "gates.weight_hh_l0": 3, "conv.weight": 1}


def test_it_finds_a_matrix() -> None:
    torch.manual_seed(2)
    truth, layer = torch.randn(32, 24), nn.Linear(24, 32, bias=False)
    optimiser = Muon(list(matrices_of(layer)), 0.5, weight_decay=0.0)
    start = float((layer.weight - truth).norm())
    for _ in range(150):
        for group in optimiser.param_groups:
            group["lr"] *= 0.97
        x = torch.randn(64, 24)
        optimiser.zero_grad()
        (layer(x) - x @ truth.T).square().mean().backward()
        optimiser.step()
    assert float((layer.weight - truth).norm()) < 0.02 * start
