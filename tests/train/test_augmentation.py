"""Each augmentation does what its setting says, and nothing when it is off."""

import dataclasses

import pytest
import torch
from torch import Tensor

from melcodec_cli.train.augmentation import Augmentation, augmented, room_response

pytestmark = pytest.mark.slow

RATE_HZ = 16000
OFF = Augmentation(equaliser=0, room=0, level_low_db=0, level_high_db=0, noise=0, edge=0)


def speech(rows: int = 4) -> Tensor:
    return 0.1 * torch.randn(rows, RATE_HZ, generator=torch.Generator().manual_seed(1))


def run(setting: Augmentation, audio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return augmented(audio, audio.flip(0), RATE_HZ, setting, torch.Generator().manual_seed(2))


def test_nothing_is_changed_when_all_is_off() -> None:
    audio = speech()
    target, source, other = run(OFF, audio)
    assert torch.allclose(target, audio, atol=1e-6) and torch.allclose(other, audio.flip(0), atol=1e-6)
    assert source is target


def test_an_echo_has_the_energy_and_the_length_it_was_given() -> None:
    white = torch.randn(1, 16000, generator=torch.Generator().manual_seed(3))
    response = room_response(white, torch.tensor([[0.4]]), torch.tensor([[-6.0]]), RATE_HZ)[0]
    assert response[0] == 1
    assert 10 * response[1:].square().sum().log10() == pytest.approx(-6, abs=0.1)
    early, late = response[1:1600].square().mean(), response[4801:6400].square().mean()
    assert 10 * (early / late).log10() == pytest.approx(60 * 0.3 / 0.4, abs=3)


def test_a_room_rings_on_after_a_click_in_target_and_input_alike() -> None:
    click = torch.zeros(8, RATE_HZ)
    click[:, 4000] = 0.5
    target, source, other = run(dataclasses.replace(OFF, room=1.0), click)
    assert source is target
    for audio in (target, other):
        assert torch.allclose(audio[:, :4000], torch.zeros(8, 4000), atol=1e-6)
        assert (audio[:, 4001:6000].abs().amax(1) > 1e-3).all()


def test_noise_is_added_to_the_input_alone_at_the_ratio_asked_for() -> None:
    target, source, _ = run(
        dataclasses.replace(OFF, noise=1.0, noise_low_db=20.0, noise_high_db=20.0), speech()
    )
    ratio = target.square().mean(1) / (source - target).square().mean(1)
    assert torch.allclose(10 * ratio.log10(), torch.full((4,), 20.0), atol=0.1)


def test_level_stays_below_full_scale_and_edges_are_silent() -> None:
    loud = dataclasses.replace(OFF, level_low_db=40.0, level_high_db=40.0, edge=1.0)
    target, _, other = run(loud, speech())
    assert max(target.abs().max(), other.abs().max()) < 1
    assert ((target[:, :100] == 0).all(1) | (target[:, -100:] == 0).all(1)).all()


def test_sounds_other_than_speech_replace_the_chosen_crops_in_all_three() -> None:
    audio = speech(64)
    target, source, other = run(dataclasses.replace(OFF, no_speech=0.25), audio)
    replaced = (target - audio).abs().amax(1) > 1e-4
    assert 8 <= replaced.sum() <= 24
    assert torch.allclose(target[replaced], other[replaced])
    assert torch.allclose(target[replaced].abs().amax(1), torch.tensor(0.3), atol=1e-3)
    assert source is target
    untouched, _, _ = run(dataclasses.replace(OFF, no_speech=1e-6), audio)
    assert torch.allclose(untouched, audio, atol=1e-6)
