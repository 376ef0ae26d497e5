"""The fast path through a linear layer gives the same as the plain one, and is not used in training."""

import pytest
import torch
from torch import Tensor, nn

from melcodec_cli.layers import pointwise
from melcodec_cli.layers.pointwise import Linear, LinearGelu
from melcodec_cli.layers.precision import computes_bfloat16


def both_ways(layer: nn.Module, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        fast = layer(x)
        monkeypatch.setattr(pointwise, "ONEDNN", False)
        return fast, layer(x)


@pytest.mark.parametrize("kind", [Linear, LinearGelu])
@pytest.mark.parametrize("shape", [(1, 1, 24), (3, 75, 24), (24,)])
def test_it_equals_the_plain_layer_up_to_rounding(
    kind: type[nn.Linear], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    fast, plain = both_ways(kind(24, 40), torch.randn(shape) * 3, monkeypatch)
    assert fast.shape == plain.shape
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)


def test_a_slice_of_a_batch_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, plain = both_ways(LinearGelu(24, 40), torch.randn(2, 24, 60).transpose(1, 2)[:, 5:-5], monkeypatch)
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [Linear, LinearGelu])
def test_training_keeps_its_gradient_and_precision(kind: type[nn.Linear]) -> None:
    layer, x = kind(8, 8), torch.randn(2, 8)
    layer(x).sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.any()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


@pytest.mark.skipif(not pointwise.ONEDNN, reason="not on this processor")
def test_the_fast_path_is_taken_without_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> Tensor:
        raise AssertionError("the plain way")

    monkeypatch.setattr(nn.Linear, "forward", refuse)
    with torch.inference_mode():
        assert Linear(4, 4)(torch.zeros(2, 4)).shape == (2, 4)
        assert LinearGelu(4, 4)(torch.zeros(2, 4)).shape == (2, 4)
        if computes_bfloat16(torch.device("cpu")):  # where alone the search asks for it
            assert LinearGelu(4, 4).bfloat16()(torch.zeros(2, 4).bfloat16()).dtype == torch.bfloat16
