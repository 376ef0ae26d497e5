"""A recording's bandwidth is measured, and nothing above it affects training."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from melcodec_cli.layers.mel import slaney_filters
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.fmel.config import (
    CoderConfig,
    PitchConfig,
    Profile,
    TimbreConfig,
    VocoderConfig,
)
from melcodec_cli.systems.fmel.train.coder import CoderLosses, CoderTask
from melcodec_cli.systems.fmel.train.vocoder import VocoderLosses, VocoderTask
from melcodec_cli.train.bandwidth import bandwidth_hz
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.corpus import open_corpus
from melcodec_cli.train.presets import read_preset
from melcodec_cli.train.task import MelTask, Moment, Task

pytestmark = pytest.mark.slow

RATE_HZ = 48000


def noise_up_to(edge_hz: float, samples: int = 96000) -> NDArray[np.float32]:
    spectrum = np.fft.rfft(np.random.default_rng(2).standard_normal(samples))
    spectrum[np.fft.rfftfreq(samples, 1 / RATE_HZ) > edge_hz] = 0
    return (0.1 * np.fft.irfft(spectrum, samples)).astype(np.float32)


@pytest.mark.parametrize("edge_hz", [3400, 8000, 11025, 20000])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_bandwidth_is_where_noise_ends(edge_hz: float, gain: float) -> None:
    samples = np.rint(noise_up_to(edge_hz) * gain * 32767).astype(np.int16)
    assert bandwidth_hz(samples, RATE_HZ) == pytest.approx(edge_hz, abs=150)


def test_all_of_the_band_and_nothing_of_it() -> None:
    full = np.rint(noise_up_to(24000) * 32767).astype(np.int16)
    assert bandwidth_hz(full, RATE_HZ) == 24000
    assert bandwidth_hz(np.zeros(48000, np.int16), RATE_HZ) == 0
    assert bandwidth_hz(full[:3000], RATE_HZ) == 24000


def profile() -> Profile:
    whole = Profile.from_dict(read_preset("speech-48k").profile)
    return dataclasses.replace(
        whole,
        coder=CoderConfig(codewords=64, half_width=16, token_width=24, frame_width=16),
        timbre=TimbreConfig(values=8, width=16, blocks=1),
        pitch=PitchConfig(bins=32, width=16, blocks=1),
        vocoder=VocoderConfig(fft_samples=960, width=16, blocks=1),
    )


def coder_task() -> MelTask:
    narrow = Pitch(profile().mel.bands, PitchConfig(width=16))
    return CoderTask(profile(), CoderLosses(pitch=0.3, foreign_timbre=0.0), narrow)


def vocoder_task() -> Task:
    return VocoderTask(
        profile(), VocoderLosses(), Pitch(profile().mel.bands, profile().pitch or PitchConfig())
    )


def judged_vocoder_task() -> Task:
    losses = VocoderLosses(adversary=1.0, adversary_from=0.0, adversary_width=2)
    return VocoderTask(profile(), losses, Pitch(profile().mel.bands, profile().pitch or PitchConfig()))


BUILDS = [coder_task, vocoder_task, judged_vocoder_task]


@pytest.mark.parametrize("build", BUILDS, ids=["coder", "vocoder", "judged vocoder"])
def test_what_the_target_holds_above_the_bandwidth_changes_no_loss_and_no_gradient(
    build: Callable[[], Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The input stays the same; only the target gets treble, far above the bandwidth."""
    low, high = noise_up_to(6000, 26880), noise_up_to(20000, 26880) - noise_up_to(14000, 26880)
    high *= np.hanning(len(high))  # begins and ends softly: an edge would have all frequencies
    torch.manual_seed(6)  # with which leaks are far below what is heard
    task = build()
    everything = _crops(torch.from_numpy(low + high), 24000.0)
    task.prepare(everything)
    heard = _crops(torch.from_numpy(low), 8000.0)

    def outcome(target: Tensor) -> tuple[float, list[Tensor]]:
        crops = dataclasses.replace(heard, audio=target)
        if isinstance(task, VocoderTask):
            monkeypatch.setattr(task, "_input", lambda mel: task.mel(heard.audio))
        torch.manual_seed(4)
        task.zero_grad()
        loss, _ = task.loss("stage", crops, Moment(0, 0.0))
        loss.backward()
        return loss.item(), [p.grad.clone() for p in task.stage.parameters() if p.grad is not None]

    plain, plain_gradients = outcome(heard.audio.clone())
    bright, bright_gradients = outcome(everything.audio)
    # Windows leak a little, at some 1e-4 of the treble.
    assert bright == pytest.approx(plain, rel=1e-3)
    for ours, theirs in zip(bright_gradients, plain_gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=0.05, atol=1e-2 * float(theirs.abs().max()) + 1e-6)
    wide = dataclasses.replace(heard, audio=everything.audio, bandwidth_hz=everything.bandwidth_hz)
    torch.manual_seed(4)
    assert task.loss("stage", wide, Moment(0, 0.0))[0].item() != pytest.approx(plain, rel=0.01)


def test_bands_count_if_the_recording_reaches_into_them() -> None:
    task = coder_task()
    heard = task.heard(_crops(torch.zeros(800), 8000.0))[0, 0]
    hz = torch.linspace(0, 24000, len(task.mel.filters))
    reached = [bool((filter_[hz < 8000] > 0).any()) for filter_ in task.mel.filters.T]
    assert heard.tolist() == reached
    across = [bool((filter_[hz >= 8000] > 0).any()) for filter_ in task.mel.filters.T[heard]]
    assert any(across)  # which is what it is about


def _crops(audio: Tensor, bandwidth: float) -> Crops:
    both = audio.repeat(2, 1)
    return Crops(both, both, both, torch.full((2,), bandwidth))


def test_the_preset_of_the_full_band_stays_below_the_published_rate() -> None:
    preset = read_preset("speech-48k")
    profile, shape = Profile.from_dict(preset.profile), preset.shape
    assert profile.tokens_per_second == shape.frames_per_s == 50
    assert profile.coder.index_bits == shape.index_bits == 14
    assert shape.bits_per_s == {1: 700}
    assert profile.timbre is not None and shape.chunk_frames == profile.chunk_tokens
    seconds = shape.chunk_frames / shape.frames_per_s
    assert 0 < shape.globals_count * shape.globals_bits == profile.timbre.values * profile.timbre.bits
    assert 700 + shape.globals_count * shape.globals_bits / seconds <= 750


def test_the_full_band_is_heard_up_to_8_khz_as_the_default_model_hears_it() -> None:
    """So its coder can begin from one at 16 kHz."""
    narrow, wide = (
        Profile.from_dict(read_preset(name).profile).mel for name in ("speech-16k-325", "speech-48k")
    )
    assert wide == MelConfig(48000, 3072, 1920, 240, 104, 0.0, 20108.4, 3e-5)
    ours, theirs = slaney_filters(wide), slaney_filters(narrow)
    below = narrow.fft_samples // 2
    assert ours[:below, : narrow.bands] == pytest.approx(theirs[:below], abs=1e-5)


def test_a_clipped_recording_has_no_more_bandwidth_than_it_had(tmp_path: Path) -> None:
    loud = np.random.default_rng(0).normal(0, 2, 16000).clip(-1, 1)
    (tmp_path / "speech" / "a").mkdir(parents=True)
    soundfile.write(tmp_path / "speech" / "a" / "loud.wav", loud, 16000)
    corpus = open_corpus([tmp_path / "speech"], tmp_path / "cache", 48000)
    assert 7000 < corpus.bandwidths_hz[0] < 9000
    assert np.abs(corpus.audio).max() == 32767
