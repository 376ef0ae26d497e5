"""The targets of the refiner: answers that lead to the end, and the same all along the way."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from melcodec_cli.systems.fmel.coder import Coder
from melcodec_cli.systems.fmel.config import CoderConfig, Profile, RefinerConfig
from melcodec_cli.systems.fmel.refiner import FlowRefiner
from melcodec_cli.systems.fmel.train.refiner import RefinerLosses, RefinerTask

pytestmark = pytest.mark.slow

NARROW = RefinerConfig(width=8, dilations=(1,), anchor=0.0, noise=1.0)
SMALL = CoderConfig(codewords=16, half_width=8, token_width=8, frame_width=8)


@pytest.mark.parametrize("predicts", ["end", "velocity"])
@pytest.mark.parametrize("time", [0.0, 0.4, 0.95])
def test_the_wanted_answer_leads_to_the_end_from_anywhere(predicts: str, time: float) -> None:
    flow = FlowRefiner(4, replace(NARROW, predicts=predicts))
    coarse, start = torch.randn(2, 1, 9, 4)
    with torch.no_grad():  # an answer that is the same for all
        flow.head.weight.zero_()
        flow.head.bias.copy_(torch.tensor([1.0, -2.0, 0.5, 3.0]))
        target = flow.head.bias + (start if predicts == "velocity" else coarse)
        assert torch.allclose(flow.wanted(start, target, coarse), flow.head.bias.expand(1, 9, 4), atol=1e-5)
        point = (1 - time) * start + time * target
        assert torch.allclose(flow.end(point, coarse, torch.full((1,), time)), target, atol=1e-5)


def task(predicts: str, **losses: Any) -> RefinerTask:
    torch.manual_seed(1)
    profile = Profile(coder=SMALL, refiner=replace(NARROW, predicts=predicts))
    return RefinerTask(profile, RefinerLosses(**losses), Coder(profile.mel, SMALL, profile.timbre))


@torch.no_grad()
def inconsistency(trained: RefinerTask, time: float) -> float:
    start, target, coarse = torch.randn(3, 1, 9, 80, generator=torch.Generator().manual_seed(3))
    when = torch.full((1,), time)
    answer = trained.stage.answer((1 - time) * start + time * target, coarse, when)
    return trained._inconsistency(answer, start, target, coarse, when).item()


def test_velocities_are_compared_as_far_as_jumps_go() -> None:
    """Velocities themselves are compared, as published, and none at 0.99 or later."""
    trained = task("velocity", jump_low=0.02, jump_high=0.02)
    start, target, coarse = torch.randn(3, 1, 9, 80, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        velocities = [
            trained.stage.answer((1 - t) * start + t * target, coarse, torch.full((1,), t))
            for t in (0.5, 0.52)
        ]
    difference = (velocities[0] - velocities[1]).square().mean().item()
    assert inconsistency(trained, 0.5) == pytest.approx(difference, rel=1e-3)
    assert inconsistency(trained, 0.96) > 0
    assert inconsistency(trained, 0.975) == 0
    assert inconsistency(task("velocity", jump_low=0.02, jump_high=0.02, jump_end=0.51), 0.5) == 0


def test_ends_are_compared_where_ends_are_predicted() -> None:
    trained = task("end", jump_low=0.02, jump_high=0.02)
    start, target, coarse = torch.randn(3, 1, 9, 80, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        ends = [
            trained.stage.end((1 - t) * start + t * target, coarse, torch.full((1,), t)) for t in (0.5, 0.52)
        ]
    difference = (ends[0] - ends[1]).square().mean().item()
    assert inconsistency(trained, 0.5) == pytest.approx(difference, rel=1e-3)
