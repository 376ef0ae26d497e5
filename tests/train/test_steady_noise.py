"""Noise whose spectrum hardly changes."""

import pytest
import torch
from torch import Tensor

from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.train.steady_noise import steady_noise

pytestmark = pytest.mark.slow

MEL = MelConfig()
FRAMES = 200


def unsteadiness(noise: Tensor) -> float:
    """How much the log-mel of (samples,) varies."""
    return float(LogMel(MEL)(noise.unsqueeze(0)).std(1).mean())


@pytest.fixture(scope="module")
def noise() -> Tensor:
    return steady_noise(MEL, FRAMES)


def test_its_mel_varies_by_far_less_than_that_of_white_noise(noise: Tensor) -> None:
    white = torch.randn(2 * FRAMES * MEL.hop_samples)
    twice = noise.flatten().repeat(2)  # with the seam of the loop in it
    assert unsteadiness(twice) < 0.6 * unsteadiness(white)


def test_it_is_as_white_and_as_loud(noise: Tensor) -> None:
    assert noise.shape == (FRAMES, MEL.hop_samples)
    assert noise.square().mean() == pytest.approx(1, abs=0.01)
    assert (noise**4).mean() == pytest.approx(3, abs=0.3)  # no crackle
    octaves = torch.fft.rfft(noise.flatten()).abs().square().split([2000, 2000, 4000, 8001])
    powers = torch.stack([octave.mean() for octave in octaves])
    assert torch.allclose(powers / powers.mean(), torch.ones(4), atol=0.1)


def test_it_is_the_same_every_time_and_leaves_the_random_numbers_of_others_alone(noise: Tensor) -> None:
    torch.manual_seed(5)
    before = torch.rand(3)
    torch.manual_seed(5)
    again = steady_noise(MEL, FRAMES)
    assert torch.equal(again, noise)
    assert torch.equal(torch.rand(3), before)
