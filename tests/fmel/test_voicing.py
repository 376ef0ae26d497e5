"""Voicing measured on the waveform: against WORLD's own, and on signals whose voicing is known."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from melcodec_cli.systems.fmel.voicing import measured_voicing

SPEECH = sorted((Path(__file__).parents[2] / "melcodec_cli/evaluate/builtin").glob("*.opus"))


def _voice_between(rate_hz: int, begin_s: float, end_s: float, seconds: float = 1.5) -> torch.Tensor:
    """A gliding buzz in faint noise."""
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    phase = 2 * np.pi * np.cumsum(120 + 60 * time_s) / rate_hz
    buzz = 0.1 * sum(np.sin(k * phase) / k for k in range(1, 20))
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(time_s))
    return torch.from_numpy(np.where((time_s > begin_s) & (time_s < end_s), buzz, 0) + noise).float()


@pytest.mark.parametrize(("rate_hz", "hop_samples"), [(16000, 160), (48000, 160), (22050, 256)])
def test_a_voice_is_found_from_where_it_begins_to_where_it_ends(rate_hz: int, hop_samples: int) -> None:
    voicing = measured_voicing(_voice_between(rate_hz, 0.4, 1.0), rate_hz, hop_samples).numpy()
    assert len(voicing) == int(1.5 * rate_hz) // hop_samples
    centres_s = (np.arange(len(voicing)) + 0.5) * hop_samples / rate_hz
    assert voicing[(centres_s > 0.42) & (centres_s < 0.98)].min() == 1
    assert (
        voicing[(centres_s < 0.36) | (centres_s > 1.04)].mean() < 0.25
    )  # noise may seem to repeat for a while


@pytest.mark.parametrize("samples", [160, 640, 1600, 16000])
@pytest.mark.parametrize("level", [0.0, 1e-9, 0.5])
def test_a_constant_is_unvoiced_however_short(samples: int, level: float) -> None:
    assert not measured_voicing(torch.full((samples,), level), 16000, 160).any()


def test_it_does_not_depend_on_the_level() -> None:
    audio = _voice_between(16000, 0.2, 0.9)
    assert torch.equal(measured_voicing(audio, 16000, 160), measured_voicing(audio * 1e-3, 16000, 160))


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_it_decides_as_world_does(rate_hz: int) -> None:
    pyworld = pytest.importorskip("pyworld")
    other, frames = 0.0, 0
    for file in SPEECH[6:]:
        speech, own_hz = soundfile.read(file)
        speech = soxr.resample(speech, own_hz, rate_hz)
        pitch_hz, _ = pyworld.dio(speech, rate_hz, f0_floor=60, f0_ceil=500, frame_period=10)
        decisions = (pitch_hz > 0).astype(float)
        ours = measured_voicing(torch.from_numpy(speech), rate_hz, rate_hz // 100).numpy()
        theirs = (decisions[: len(ours)] + np.append(decisions[1:], 0)[: len(ours)]) / 2
        other, frames = other + np.abs(ours - theirs).sum(), frames + len(ours)
    assert other / frames < 0.03


def test_a_part_decides_like_the_whole_at_the_same_moments() -> None:
    speech = torch.cat([torch.from_numpy(soundfile.read(file)[0]).float() for file in SPEECH[:3]])
    speech = torch.from_numpy(soxr.resample(speech.numpy(), 16000, 48000))
    whole = measured_voicing(speech, 48000, 160)[64:]
    cut = 64 * 160  # 21 decisions and a third
    same, other = (measured_voicing(speech[cut:], 48000, 160, moment) for moment in (-cut, 0))
    inner = slice(60, -60)  # where neither is at an end
    assert (same - whole)[inner].abs().mean() < 0.003 < (other - whole)[inner].abs().mean()
