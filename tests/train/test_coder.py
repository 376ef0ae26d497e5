"""The effect of settings on training the coder."""

from typing import Any

import pytest
import torch

from melcodec_cli.systems.fmel.config import CoderConfig, Profile
from melcodec_cli.systems.fmel.train.coder import CoderLosses, CoderTask
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.task import Moment

pytestmark = pytest.mark.slow

SMALL = CoderConfig(codewords=16, half_width=8, token_width=8, frame_width=8)
HALFWAY = Moment(5, 0.5)


def task(**losses: Any) -> CoderTask:
    torch.manual_seed(1)
    return CoderTask(Profile(coder=SMALL, timbre=None), CoderLosses(**losses))


def crops(bandwidth_hz: float = 8000.0) -> Crops:
    audio = 0.1 * torch.randn(2, 9600, generator=torch.Generator().manual_seed(2))
    return Crops(audio, audio, audio, torch.full((2,), bandwidth_hz))


@pytest.mark.parametrize("clustering", [True, False])
def test_codewords_are_left_to_the_gradient_without_clustering(clustering: bool) -> None:
    trained = task(clustering=clustering)
    quantiser = trained.stage.quantiser
    before = quantiser.codebook.detach().clone()
    loss, _ = trained.loss("stage", crops(), HALFWAY)
    loss.backward()
    trained.after_step(HALFWAY)
    assert torch.equal(quantiser.codebook, before) == (not clustering)
    assert quantiser.codebook.grad is not None and quantiser.codebook.grad.any()
    assert quantiser.usage.sum().item() == pytest.approx(0.01)  # for the histogram of their use


def test_commitment_has_the_weight_that_is_set() -> None:
    distances = [task(commitment=each).loss("stage", crops(), HALFWAY)[1]["vq"] for each in (0.0, 0.25, 4.0)]
    assert distances == pytest.approx([distances[0] * each for each in (1.0, 1.25, 5.0)])


def test_a_judge_of_mels_joins_where_it_is_asked_for_and_teaches_the_coder() -> None:
    nothing_else = dict.fromkeys(("absolute", "squared", "codebook", "envelope", "difference"), 0.0)
    trained = task(adversary=0.1, adversary_from=0.5, adversary_width=4, **nothing_else)
    early = Moment(1, 0.4)
    assert [trained.active("adversary", moment) for moment in (early, HALFWAY)] == [False, True]
    assert "deceived" not in trained.loss("stage", crops(), early)[1]

    loss, figures = trained.loss("stage", crops(), HALFWAY)
    assert loss.item() == pytest.approx(0.1 * (figures["deceived"] + figures["features"]))
    loss.backward()
    assert trained.stage.decoder.head.weight.grad is not None
    assert all(row.any() for row in trained.stage.decoder.head.weight.grad)
    trained.zero_grad()
    judgement, _ = trained.loss("adversary", crops(), HALFWAY)
    judgement.backward()
    assert all(parameter.grad is not None for parameter in trained.adversary.parameters())
    assert all(parameter.grad is None for parameter in trained.stage.parameters())
    assert task().players == ("stage",)


def test_the_judge_does_not_see_what_the_recording_does_not_hold() -> None:
    nothing_else = dict.fromkeys(("absolute", "squared", "codebook", "envelope", "difference"), 0.0)
    trained = task(adversary=0.1, adversary_from=0.0, adversary_width=4, **nothing_else)
    narrow = crops(bandwidth_hz=4000.0)
    heard = trained.heard(narrow)[0, 0]
    loss, _ = trained.loss("stage", narrow, HALFWAY)
    loss.backward()
    gradient = trained.stage.decoder.head.weight.grad
    assert gradient is not None
    assert torch.equal(gradient.abs().sum(1) > 0, heard) and 0 < heard.sum() < 80
