"""What the losses on mels treat as equal, and what they do not."""

import pytest
import torch

from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.fmel.config import PitchConfig
from melcodec_cli.systems.fmel.train.hearing import hearing_loss
from melcodec_cli.train.losses import average_loss

pytestmark = pytest.mark.slow

MEL = torch.randn(3, 200, 8, generator=torch.Generator().manual_seed(1))
HEARD = torch.ones(3, 1, 8, dtype=torch.bool)


def test_the_average_loss_ignores_the_order_of_frames_and_sees_level_and_spread() -> None:
    assert average_loss(MEL.flip(1), MEL, HEARD) == pytest.approx(0, abs=1e-6)
    assert average_loss(MEL + 0.5, MEL, HEARD) == pytest.approx(0.5, abs=1e-5)
    assert average_loss(MEL * 0.5, MEL, HEARD) > 0.4


def test_the_average_loss_leaves_out_the_bands_that_a_recording_does_not_hold() -> None:
    heard = HEARD.clone()
    heard[..., 6:] = False
    wrong = MEL.clone()
    wrong[..., 6:] += 5
    assert average_loss(wrong, MEL, heard) == pytest.approx(0, abs=1e-6)


def test_the_pitch_loss_is_least_where_the_same_is_heard() -> None:
    torch.manual_seed(2)
    pitch = Pitch(8, PitchConfig(bins=16, width=12, blocks=1))
    same, near, far = (hearing_loss(pitch, MEL + step * torch.ones(8), MEL) for step in (0.0, 0.1, 1.0))
    assert same < near < far
