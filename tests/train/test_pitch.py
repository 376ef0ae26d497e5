"""Labels of pitch: at the centres of frames, whatever the rate."""

import numpy as np
import pytest
import torch

from melcodec_cli.layers.pitch_config import PitchConfig
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.train.pitch_labels import measured_pitch
from melcodec_cli.train.presets import read_preset

pytestmark = pytest.mark.slow

pytest.importorskip("pyworld")

PITCH = PitchConfig()


@pytest.mark.parametrize("preset", ["speech-16k", "speech-48k"])
def test_labels_follow_a_glide_frame_by_frame(preset: str) -> None:
    """The pitch glides an octave per second: a label one frame off is 4 cents off at a hop of 3.33 ms, 12 at 10 ms."""
    profile = Profile.from_dict(read_preset(preset).profile)
    rate, hop = profile.mel.rate_hz, profile.mel.hop_samples
    time_s = np.arange(2 * rate) / rate
    phase = 2 * np.pi * 100 / np.log(2) * (2**time_s - 1)
    buzz = sum(np.sin(k * phase) / k for k in range(1, 12))
    audio = torch.from_numpy(np.stack([0.1 * buzz, 0 * buzz])).float()
    (glide, silence), (voiced, unvoiced) = measured_pitch(audio, profile.mel, PITCH)
    centres_s = (np.arange(len(glide)) * hop + hop / 2) / rate
    inside = (centres_s > 0.2) & (centres_s < 1.8)
    cents = 1200 * np.log2(glide.numpy()[inside] / (100 * 2 ** centres_s[inside]))
    assert abs(np.median(cents)) < 1.5
    assert np.quantile(np.abs(cents), 0.95) < 4
    assert not silence.any()
    assert voiced[torch.from_numpy(inside)].min() == 1
    assert not unvoiced.any()


@pytest.mark.parametrize("preset", ["speech-16k", "speech-48k"])
def test_half_the_answers_are_voiced_where_a_voice_begins(preset: str) -> None:
    profile = Profile.from_dict(read_preset(preset).profile)
    rate, hop = profile.mel.rate_hz, profile.mel.hop_samples
    time_s = np.arange(rate) / rate
    noise = np.random.default_rng(1).standard_normal(rate) * 1e-3
    buzz = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 12))
    audio = torch.from_numpy(np.where((time_s > 0.3) & (time_s < 0.7), buzz, noise)).float()[None]
    _, [share] = measured_pitch(audio, profile.mel, PITCH)
    assert len(share) == rate // hop
    edges_s = [(np.flatnonzero(share > 0.5)[i] + 0.5) * hop / rate for i in (0, -1)]
    assert edges_s == pytest.approx([0.3, 0.7], abs=0.02)
    assert ((share > 0) & (share < 1)).any()  # DIO, asked at different places, is of different opinions


def test_treble_above_16_khz_does_not_come_down_as_pitch() -> None:
    """Without a filter, 16 100 Hz would become 100 Hz at the rate of the labels."""
    profile = Profile.from_dict(read_preset("speech-48k").profile)
    time_s = np.arange(72000) / 48000
    buzz = 0.1 * sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 20))
    treble = 0.3 * np.sin(2 * np.pi * 16100 * time_s)
    labels, _ = measured_pitch(torch.from_numpy(buzz + treble).float()[None], profile.mel, PITCH)
    labels = labels[0]
    assert labels.shape == (300,)
    assert labels[40:-40].numpy() == pytest.approx(140, rel=1e-3)
