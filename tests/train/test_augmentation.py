"""Each augmentation does what its setting says, and nothing when it is off."""

import dataclasses

import pytest
import torch
from torch import Tensor

from melcodec_cli.train.augmentation import Augmentation, augmented, fading, room_response

pytestmark = pytest.mark.slow

RATE_HZ = 16000
SAMPLES_8000 = [-0.041184, 0.008062, 0.008253, -0.018007]  # of the noisy input, before babble and echoes came
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
    response = room_response(fading(white, torch.tensor([[0.4]]), RATE_HZ), torch.tensor([[-6.0]]))[0]
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


def test_another_crop_lies_under_target_and_input_alike_as_soft_as_asked_for() -> None:
    audio = speech() * torch.tensor([[1.0], [0.1], [0.5], [2.0]])
    setting = dataclasses.replace(OFF, mixed=1.0, mixed_low_db=12.0, mixed_high_db=12.0)
    target, source, _ = run(setting, audio)
    assert source is target
    under = target - audio
    ratio = audio.square().mean(1) / under.square().mean(1)
    assert torch.allclose(10 * ratio.log10(), torch.full((4,), 12.0), atol=0.1)
    likeness = torch.cosine_similarity(under, audio.roll(1, 0), dim=1)
    assert torch.allclose(likeness, torch.ones(4), atol=1e-3)


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


def test_an_echo_is_heard_in_the_input_alone_and_never_with_noise() -> None:
    click = torch.zeros(300, RATE_HZ)
    click[:, 4000] = 0.5
    setting = dataclasses.replace(OFF, noise=1 / 3, noise_low_db=10.0, noise_high_db=10.0, echo=1 / 3)
    target, source, _ = run(setting, click)
    assert torch.allclose(target, click, atol=1e-6)
    before = (
        source[:, :3900].abs().amax(1) > 1e-4
    ).float()  # noise is everywhere, an echo only after the click
    after = (source[:, 4100:6000].abs().amax(1) > 1e-4).float()
    noisy, echoing, clean = before.mean(), ((1 - before) * after).mean(), ((1 - before) * (1 - after)).mean()
    for share in (noisy, echoing, clean):
        assert 0.25 < share < 0.42


def test_babble_is_made_of_the_other_crops() -> None:
    """Each crop is a tone of its own: in its babble are tones of others, and not its own."""
    time_s = torch.arange(RATE_HZ) / RATE_HZ
    tones = 0.1 * torch.stack([torch.sin(2 * torch.pi * hz * time_s) for hz in range(200, 1000, 100)])
    setting = dataclasses.replace(OFF, noise=1.0, noise_low_db=0.0, noise_high_db=0.0, babble=1.0)
    target, source, _ = run(setting, tones)
    lines = torch.fft.rfft(source - target).abs()[:, 200:1000:100]
    lines = lines / lines.amax(1, keepdim=True)
    assert lines.diagonal().max() < 0.01
    assert (lines > 0.01).sum(1).min() >= 1
    level = (source - target).square().mean(1) / target.square().mean(1)
    assert torch.allclose(10 * level.log10(), torch.zeros(8), atol=0.1)


def test_noise_of_older_settings_never_changes() -> None:
    """Trained models can be trained again only with the same crops."""
    setting = Augmentation(noise=0.5, room=0.3, no_speech=0.1)
    _, source, _ = run(setting, speech())
    assert torch.allclose(source[:, 8000], torch.tensor(SAMPLES_8000), atol=1e-4)
