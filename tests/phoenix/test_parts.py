"""Parts of phoenix by themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from melcodec_cli.layers.causal import CausalUpsample, RecurrentNet
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.residual import ResidualQuantiser
from melcodec_cli.layers.snake import Snake
from melcodec_cli.layers.snake import snake as snaked
from melcodec_cli.systems.phoenix.interpolation import Interpolation, group_delay, impulse_response
from melcodec_cli.systems.phoenix.stretches import added_window, second_window


def tone(hz: float, rate_hz: int, seconds: float = 0.2) -> torch.Tensor:
    return torch.sin(
        2 * torch.pi * hz * torch.arange(int(seconds * rate_hz), dtype=torch.float64) / rate_hz
    ).float()


def test_the_low_pass_is_a_butterworth() -> None:
    gain = np.abs(np.fft.rfft(impulse_response(), 4800))  # bins of 10 Hz
    assert gain[0] == pytest.approx(1, abs=1e-6)
    assert 20 * np.log10(gain[800]) == pytest.approx(-3.01, abs=0.01)
    analog = np.tan(np.pi * np.array([600, 1000, 1200]) / 4800) / np.tan(np.pi * 800 / 4800)
    assert np.allclose(gain[[600, 1000, 1200]], (1 + analog**22) ** -0.5, rtol=1e-4)
    assert np.abs(impulse_response()[-8:]).max() < 1e-7  # it is over
    assert group_delay(impulse_response()).max() / 2 < 8  # samples of 24 kHz, as published


@pytest.mark.parametrize("rate_hz", [24_000, 48_000])
@pytest.mark.parametrize("hz", [100, 1000, 2000])
def test_interpolated_tones_are_in_time_and_as_loud(rate_hz: int, hz: int) -> None:
    made = Interpolation(rate_hz)(tone(hz, 16_000)[None])[0]
    expected = tone(hz, rate_hz)
    assert made.shape == expected.shape
    inner = slice(rate_hz // 100, -rate_hz // 100)
    assert (made - expected)[inner].abs().max() < 0.15  # what is left of the delay of high frequencies
    assert made[inner].std() == pytest.approx(float(expected[inner].std()), rel=0.01)


def test_no_mirror_image_is_left_of_a_tone() -> None:
    made = Interpolation(24_000)(tone(3000, 16_000, 1.0)[None])[0][1000:-1000]
    spectrum = torch.fft.rfft(made * torch.hann_window(len(made))).abs()
    hz = torch.arange(len(spectrum)) * 24_000 / len(made)
    assert 20 * (spectrum[hz > 9000].max() / spectrum.max()).log10() < -50


@pytest.mark.parametrize("samples", [480, 384, 300])
def test_synthesis_windows_add_up_to_1(samples: int) -> None:
    both = torch.hann_window(samples) * second_window(samples, 192)
    for window in (added_window(samples, 192), both):
        total = torch.zeros(samples + 9 * 192)
        for frame in range(10):
            total[frame * 192 : frame * 192 + samples] += window
        assert torch.allclose(total[samples : 9 * 192], torch.ones(9 * 192 - samples), atol=1e-6)


def test_snake_has_the_right_gradient() -> None:
    torch.manual_seed(1)
    snake = Snake(3).double()
    nn.init.uniform_(snake.slope, 0.5, 2)
    x = torch.randn(4, 5, 3, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        assert torch.allclose(snake(x), x + torch.sin(snake.slope * x).square() / snake.slope)
    assert torch.autograd.gradcheck(snaked, (x, snake.slope))


def test_upsampling_is_a_transposed_convolution() -> None:
    torch.manual_seed(1)
    upsample = CausalUpsample(3, 2, 4)
    torch_one = nn.ConvTranspose1d(3, 2, 8, 4)
    weight = upsample.conv.conv.weight.detach().squeeze(2).reshape(4, 2, 3, 2)  # (step, out, in, tap)
    with torch.no_grad():
        # The last tap is the frame itself, the first the one before, which fills the second half of the kernel.
        torch_one.weight.copy_(torch.cat([weight[..., 1], weight[..., 0]]).permute(2, 1, 0))
        torch_one.get_parameter("bias").zero_()
        upsample.conv.conv.get_parameter("bias").zero_()
        x = torch.randn(2, 6, 3)
        expected = torch_one(x.transpose(1, 2))[:, :, : 6 * 4].transpose(1, 2)
        assert torch.allclose(upsample(x), expected, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_recurrent_layers_continue_where_they_stopped(kind: type[nn.GRU] | type[nn.LSTM]) -> None:
    torch.manual_seed(1)
    net, x, memory = RecurrentNet(kind, 4), torch.randn(7, 3, 4), Memory()
    with torch.no_grad():
        parts = [net(part, memory) for part in x.split([1, 0, 4, 2])]
        assert torch.allclose(torch.cat(parts), net(x), atol=1e-6)


@pytest.fixture
def quantiser() -> ResidualQuantiser:
    torch.manual_seed(2)
    return ResidualQuantiser(6, 3, 48, 4).eval()


def test_each_stage_takes_the_codeword_nearest_to_what_is_left(
    quantiser: ResidualQuantiser,
) -> None:
    x = torch.randn(2, 300, 6)
    found = quantiser(x)
    left = x
    for stage in range(3):
        distances = torch.cdist(
            quantiser.project_in[stage](left), quantiser.codebooks[stage].expand(2, -1, -1)
        )
        assert torch.equal(found.indices[..., stage], distances.argmin(-1))
        left = left - quantiser.project_out[stage](quantiser.codebooks[stage][found.indices[..., stage]])
    assert torch.allclose(x - found.latent, left, atol=1e-5)
    assert torch.allclose(quantiser.lookup(found.indices), found.latent, atol=1e-5)


def test_a_row_is_decoded_from_the_stages_sent(quantiser: ResidualQuantiser) -> None:
    x = torch.randn(3, 5, 6)
    found = quantiser(x, torch.tensor([1, 3, 2]))
    for row, sent in enumerate((1, 3, 2)):
        expected = quantiser.lookup(found.indices[row : row + 1, :, :sent])
        assert torch.allclose(found.latent[row : row + 1], expected, atol=1e-5)
    assert torch.equal(found.indices, quantiser(x).indices)


def test_plain_rows_keep_what_codewords_would_round(quantiser: ResidualQuantiser) -> None:
    x = torch.randn(2, 5, 6)
    usual = quantiser(x)
    found = quantiser(x, plain=torch.tensor([False, True]))
    assert torch.allclose(found.latent[0], usual.latent[0], atol=1e-6)
    left = x[1] - quantiser.project_out[0](quantiser.project_in[0](x[1]))
    for stage in (1, 2):
        left = left - quantiser.project_out[stage](quantiser.project_in[stage](left))
    assert torch.allclose(x[1] - found.latent[1], left, atol=1e-4)


def test_the_gradient_passes_the_quantiser(quantiser: ResidualQuantiser) -> None:
    x = torch.randn(2, 5, 6, requires_grad=True)
    found = quantiser(x)
    (found.latent.square().sum() + found.codebook_loss).backward()
    assert x.grad is not None and x.grad.abs().min() > 0
    for stage in range(3):
        used = found.indices[..., stage].unique()
        gradient = quantiser.codebooks.grad[stage].abs().sum(1)  # type: ignore[index]
        assert (gradient[used] > 0).all() and gradient.count_nonzero() == len(used)


def test_unused_codewords_move_to_what_is_looked_up(quantiser: ResidualQuantiser) -> None:
    before = quantiser.codebooks.detach().clone()
    points = torch.full((3, 2, 5, 4), 7.0)
    shares = torch.zeros(3, 48)
    shares[:, :8] = 1 / 8
    for _ in range(50):
        quantiser.count(shares, 0.9)
    quantiser.revive(quantiser.anchors(points), 0.9)
    assert torch.allclose(quantiser.codebooks[:, :8], before[:, :8])
    assert (quantiser.codebooks[:, 8:] - 7).abs().max() < 0.1


def test_shares_count_each_stage(quantiser: ResidualQuantiser) -> None:
    indices = torch.tensor([[[0, 1, 2], [0, 5, 2]], [[0, 1, 3], [4, 1, 3]]])
    shares = quantiser.shares(indices)
    assert torch.equal(
        shares[:, :6], torch.tensor([[3, 0, 0, 0, 1, 0], [0, 3, 0, 0, 0, 1], [0, 0, 2, 2, 0, 0]]) / 4
    )
    assert torch.equal(shares.sum(1), torch.ones(3))


def test_what_is_looked_up_is_normalised_by_the_batch_and_later_by_all_of_them(
    quantiser: ResidualQuantiser,
) -> None:
    batches = [5 + 3 * torch.randn(4, 200, 6) for _ in range(30)]
    quantiser.train()
    for batch in batches:
        points = quantiser(batch).points
    assert torch.allclose(points.mean((1, 2)), torch.zeros(3, 4), atol=1e-4)
    assert torch.allclose(points.std((1, 2)), torch.ones(3, 4), atol=1e-2)
    quantiser.eval()
    kept = quantiser.mean.clone()
    points = quantiser(batches[0]).points
    assert points.mean((1, 2)).abs().max() < 0.3 and (points.std((1, 2)) - 1).abs().max() < 0.2
    assert torch.equal(quantiser.mean, kept)
