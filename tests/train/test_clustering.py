"""A codebook that grows, and the usage that goes with it."""

import torch

from melcodec_cli.layers.quantiser import Quantiser
from melcodec_cli.train.clustering import cluster, grown


def test_a_grown_codebook_holds_the_old_one_and_codewords_beside_it() -> None:
    torch.manual_seed(1)
    small, large = Quantiser(16, 8, 4), Quantiser(16, 32, 4)
    small.usage.copy_(torch.arange(8.0) / 28)
    weights = grown(small.state_dict(), large.state_dict())
    large.load_state_dict(weights)
    assert torch.equal(large.codebook[:8], small.codebook)
    unit = torch.nn.functional.normalize(large.codebook, dim=-1).unflatten(0, (4, 8))
    assert ((unit[1:] * unit[0]).sum(-1) > 0.95).all()  # each lies beside the one that it comes from
    assert len(torch.unique(large.codebook, dim=0)) == 32
    assert torch.allclose(large.usage.unflatten(0, (4, 8)).sum(0), small.usage)


def test_what_does_not_fit_is_left_as_it_is() -> None:
    weights = Quantiser(16, 8, 4).state_dict()
    for own in (Quantiser(16, 8, 4), Quantiser(16, 12, 4), Quantiser(16, 32, 5), Quantiser(16, 4, 4)):
        assert grown(weights, own.state_dict())["codebook"] is weights["codebook"]


def test_unused_codewords_move_to_what_is_seen() -> None:
    torch.manual_seed(1)
    quantiser = Quantiser(16, 8, 4)
    seen = torch.nn.functional.normalize(torch.randn(1, 100, 4), dim=-1)
    indices = torch.zeros(1, 100, dtype=torch.long)
    for _ in range(400):
        cluster(quantiser, indices, seen, decay=0.9, moves=True)
    assert quantiser.usage[0] > 0.99
    nearest = (torch.nn.functional.normalize(quantiser.codebook[1:], dim=-1) @ seen[0].T).amax(-1)
    assert (nearest > 0.9).all()
