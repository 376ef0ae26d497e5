"""The distance that hears as P.862 does."""

from __future__ import annotations

import pytest
import soundfile
import torch
from torch import Tensor

from melcodec_cli.evaluate.clip import CLIP
from melcodec_cli.layers.loudness import Loudness

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def speech() -> Tensor:
    """Two seconds of it."""
    audio, rate_hz = soundfile.read(CLIP, dtype="float32", frames=4 * RATE_HZ)
    assert rate_hz == RATE_HZ
    return torch.from_numpy(audio).view(2, -1)


def heard(made: Tensor, real: Tensor) -> float:
    return float(Loudness(RATE_HZ)(made, real))


def test_more_noise_disturbs_more_and_none_not_at_all(speech: Tensor) -> None:
    noise = torch.randn(speech.shape, generator=torch.Generator().manual_seed(1)) * speech.std()
    assert heard(speech, speech) < 1e-3
    found = [heard(speech + share * noise, speech) for share in (0.01, 0.1, 0.3)]
    assert found == sorted(found) and found[0] > 0.01


def test_the_level_of_the_recording_does_not_matter(speech: Tensor) -> None:
    noisy = speech + 0.1 * speech.flip(1)
    assert heard(0.05 * noisy, 0.05 * speech) == pytest.approx(heard(noisy, speech), rel=0.02)


def test_what_is_added_disturbs_more_than_what_is_missing(speech: Tensor) -> None:
    spectrum = torch.fft.rfft(speech)
    spectrum[:, spectrum.shape[1] // 4 :] = 0
    muffled = torch.fft.irfft(spectrum, speech.shape[1])
    assert heard(speech, muffled) > 1.5 * heard(muffled, speech)


def test_what_speech_masks_is_not_heard(speech: Tensor) -> None:
    """The same noise, under speech and in a pause."""
    tone = 0.1 * torch.sin(torch.arange(speech.shape[1]) * 0.4).expand_as(speech)
    noise = 0.003 * torch.randn(speech.shape, generator=torch.Generator().manual_seed(1))
    silent = tone * (torch.arange(speech.shape[1]) < speech.shape[1] // 2)
    assert heard(silent + noise, silent) > heard(tone + noise, tone)


def test_its_gradient_is_finite_even_for_silence(speech: Tensor) -> None:
    for real in (speech, torch.zeros_like(speech)):
        made = torch.zeros_like(speech, requires_grad=True)
        Loudness(RATE_HZ)(made, real).backward()
        assert made.grad is not None and made.grad.isfinite().all()
