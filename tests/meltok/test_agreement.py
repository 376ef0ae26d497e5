"""Spectra that overlap agree on the phases of what they have in common."""

from __future__ import annotations

import math

import torch

from melcodec_cli.layers.spectra import agreed, audio_of, framed, overlap_add
from tests.meltok.small import small_meltok

FFT, HOP, FRAMES = 256, 64, 60
WINDOW = torch.hann_window(FFT)
TONE = torch.sin(2 * math.pi * 0.0531 * torch.arange(FRAMES * HOP)).unsqueeze(0)


def spectra_of(audio: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft(framed(audio, FFT, HOP) * WINDOW)


def sound_of(spectra: torch.Tensor) -> torch.Tensor:
    """Without the hops that are not in as many frames as the others."""
    total = torch.zeros(1, FRAMES + 3, HOP)
    overlap_add(total, torch.fft.irfft(spectra, n=FFT) * WINDOW)
    return audio_of(total, 4)[:, 4 * FFT : -4 * FFT]


def level_db(audio: torch.Tensor) -> float:
    return 10 * math.log10(audio.square().mean())


def share_of_the_tone(audio: torch.Tensor) -> float:
    power = torch.fft.rfft(audio * torch.hann_window(audio.shape[1])).abs().square()[0]
    peak = round(0.0531 * audio.shape[1])
    return float(power[peak - 3 : peak + 4].sum() / power.sum())


def test_a_tone_whose_phase_begins_anew_in_every_frame_becomes_one_again() -> None:
    magnitudes = spectra_of(TONE).abs()
    broken = magnitudes * torch.polar(torch.ones(129), torch.pi * torch.arange(129.0))
    mended = sound_of(agreed(broken, 16, WINDOW, HOP, None))
    assert share_of_the_tone(sound_of(broken)) < 0.5
    assert share_of_the_tone(mended) > 0.8
    assert abs(level_db(mended) - level_db(TONE)) < 0.5 < level_db(TONE) - level_db(sound_of(broken))


def test_what_agrees_already_stays_as_it_is() -> None:
    spectra = spectra_of(torch.randn(1, FRAMES * HOP, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(
        sound_of(agreed(spectra, 3, WINDOW, HOP, None)), sound_of(spectra), rtol=0, atol=0.05
    )
    assert agreed(spectra, 0, WINDOW, HOP, None) is spectra


def test_silent_frames_stay_silent() -> None:
    inside = torch.ones(1, FRAMES, 1)
    inside[:, 20:30] = 0
    after = agreed(spectra_of(TONE) * inside, 4, WINDOW, HOP, inside)
    assert not after[:, 20:30].any() and after[:, 10:20].any()


def test_more_rounds_have_a_higher_bound_and_a_wider_field() -> None:
    small = small_meltok()
    rounds = small.bounds()["rounds"]
    assert 1 < rounds < 4
    assert small.vocoder.context_frames == 2 + 2 * 3 + small.vocoder.stack.context
