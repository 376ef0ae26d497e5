"""Operations are counted as they can be by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from melcodec_cli.bench.operations import REST, _own_counts, mflops
from melcodec_cli.layers.pointwise import Linear
from tests.systems.toy import Toy


def test_each_part_of_a_system_has_its_own() -> None:
    """The encoder takes 160 x 2 products for each of 100 frames a second, the decoder 4 x 80."""
    assert mflops(Toy({}), {}) == pytest.approx({"encoder": 0.064, "decoder": 0.064, REST: 0.0})


@pytest.mark.parametrize(
    "module, shape, products",
    [
        (nn.Linear(8, 5), (3, 7, 8), 21 * 40),
        (Linear(8, 5), (3, 7, 8), 21 * 40),
        (nn.Conv1d(4, 6, 3), (2, 4, 10), 2 * 8 * 4 * 6 * 3),
        (nn.GRU(8, 5), (7, 3, 8), 21 * 3 * 5 * (8 + 5)),
        (nn.LSTM(8, 5), (7, 3, 8), 21 * 4 * 5 * (8 + 5)),
    ],
    ids=["linear", "linear by oneDNN", "convolution", "GRU", "LSTM"],
)
def test_a_product_and_its_sum_are_two_operations(
    module: nn.Module, shape: tuple[int, ...], products: int
) -> None:
    with torch.inference_mode(), FlopCounterMode(display=False, custom_mapping=_own_counts()) as counter:
        module(torch.randn(shape))
    assert counter.get_total_flops() == 2 * products
