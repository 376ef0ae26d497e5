"""Training of phoenix: its losses, and that a few steps make it better."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from melcodec_cli.cli import main
from melcodec_cli.evaluate.clip import CLIP
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.pitch_config import PitchScaleConfig
from melcodec_cli.models.bundle import load_bundle
from melcodec_cli.systems.phoenix.config import DECODERS
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.phoenix.train.codec import CodecLosses, CodecTask
from melcodec_cli.systems.phoenix.train.losses import SpectralDistances
from melcodec_cli.systems.phoenix.train.stages import stages_of
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.pitch_labels import Pitched, pitched
from melcodec_cli.train.presets import preset_text, read_preset
from melcodec_cli.train.task import Moment
from tests.phoenix.systems import PROFILES
from tests.sounds import wav
from tests.train.test_presets import named, settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FULL = torch.full((4,), 8000.0)


def speech(seed: int = 0) -> Crops:
    """Four crops of about half a second."""
    audio, rate_hz = soundfile.read(CLIP, dtype="float32")
    assert rate_hz == 16_000
    starts = np.random.default_rng(seed).integers(0, len(audio) - 40 * 192, 4)
    crops = torch.from_numpy(np.stack([audio[start : start + 40 * 192] for start in starts]))
    return Crops(crops, crops, crops, FULL)


def task_of(decoder: str, **losses: Any) -> CodecTask:
    torch.manual_seed(1)
    return CodecTask(PROFILES[f"{decoder} at 16 kHz"], CodecLosses(**losses))


def voiced(crops: Crops) -> Pitched:
    """The same with labels of pitch."""
    frames = crops.audio.shape[1] // 192
    loud = crops.audio.view(4, frames, 192).square().mean(-1).sqrt() > 0.02
    return Pitched(**vars(crops), pitch_hz=150.0 * loud, voiced=loud.float())


def step(
    task: CodecTask, optimisers: dict[str, torch.optim.Optimizer], seed: int, judged: bool
) -> dict[str, float]:
    moment = Moment(seed, 0.5, judged)
    figures: dict[str, float] = {}
    for player in task.players:
        if not task.active(player, moment):
            continue
        loss, found = task.loss(player, voiced(speech(seed)), moment)
        optimisers[player].zero_grad()
        loss.backward()
        optimisers[player].step()
        figures |= found | {player: loss.item()}
    task.after_step(moment)
    return figures


def optimisers_of(task: CodecTask) -> dict[str, torch.optim.Optimizer]:
    return {player: torch.optim.AdamW(getattr(task, player).parameters(), 2e-3) for player in task.players}


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_few_steps_bring_the_decoded_sound_closer(decoder: str) -> None:
    task = task_of(decoder, complex=0.0 if decoder == "harmonic" else 1.0)  # whose phases are its own
    optimisers, crops = optimisers_of(task), voiced(speech(99))
    before = task.evaluate(crops)
    for seed in range(30):
        step(task, optimisers, seed, judged=False)
    task.eval()  # by the running statistics
    after = task.evaluate(crops)
    assert after.keys() == before.keys()
    assert next(iter(after)) == "dev_loss_6"  # the main figure
    for figure in ("dev_loss_6", "dev_loss_1"):
        assert after[figure] < 0.95 * before[figure], figure
    assert task.latest is not None
    for chosen in task.stage.quantiser.shares(task.latest[0]):
        assert (chosen > 0).sum() > 8  # no stage has collapsed


@pytest.mark.slow
def test_the_adversary_plays_in_its_phases_alone() -> None:
    task = task_of("istft", adversary=0.1, adversary_width=4)
    optimisers = optimisers_of(task)
    before = [weight.detach().clone() for weight in task.adversary.parameters()]
    assert "deceived" not in step(task, optimisers, 0, judged=False)
    assert all(
        torch.equal(one, other) for one, other in zip(before, task.adversary.parameters(), strict=True)
    )
    figures = step(task, optimisers, 1, judged=True)
    assert figures["adversary"] > 0 and figures["features"] > 0
    assert not all(
        torch.equal(one, other) for one, other in zip(before, task.adversary.parameters(), strict=True)
    )


def test_stages_are_dropped_as_often_as_asked_for() -> None:
    torch.manual_seed(0)
    sent = task_of("istft")._sent(12_000, torch.device("cpu"))
    shares = torch.bincount(sent, minlength=7) / 12_000
    assert torch.allclose(shares, torch.tensor([0.0, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1]), atol=0.02)


def test_it_hears_the_noisy_and_is_measured_by_the_clean() -> None:
    task, crops = task_of("istft", single=0.0), speech()
    torch.manual_seed(1)
    clean, _ = task.loss("stage", crops, Moment(0, 0.0))
    noisy = dataclasses.replace(crops, noisy=crops.audio + 0.1 * torch.randn_like(crops.audio))
    torch.manual_seed(1)
    disturbed, _ = task.loss("stage", noisy, Moment(0, 0.0))
    other = dataclasses.replace(crops, audio=torch.zeros_like(crops.audio))
    torch.manual_seed(1)
    target, _ = task.loss("stage", other, Moment(0, 0.0))
    assert len({clean.item(), disturbed.item(), target.item()}) == 3
    codes = [task.stage.quantiser(task.stage.encoder(each.noisy)).indices for each in (crops, noisy, other)]
    assert not torch.equal(codes[0], codes[1]) and torch.equal(codes[0], codes[2])


def test_distances_are_zero_for_the_same_and_see_phase_apart_from_magnitude() -> None:
    distances, audio = SpectralDistances(16_000), speech().audio
    assert max(map(float, distances(audio, audio, FULL))) == 0
    turned = distances(-audio, audio, FULL)
    assert float(turned.mel) < 1e-5 and float(turned.magnitude) < 1e-5
    assert float(turned.complex) == pytest.approx(2, abs=1e-3)
    quieter = distances(audio / 4, audio, FULL)
    assert float(quieter.magnitude) == pytest.approx(0.5, abs=0.05)  # of the square root


def test_nothing_above_the_bandwidth_of_a_recording_is_judged() -> None:
    distances, audio = SpectralDistances(16_000), speech().audio
    hiss = torch.randn(audio.shape)
    spectrum = torch.fft.rfft(hiss)
    spectrum[:, : int(6000 / 8000 * spectrum.shape[1])] = 0
    hissing = audio + 0.1 * torch.fft.irfft(spectrum, audio.shape[1])
    everywhere, below = (distances(hissing, audio, torch.full((4,), hz)) for hz in (8000.0, 4500.0))
    for all_of_it, heard in zip(everywhere, below, strict=True):
        assert float(heard) < 0.2 * float(all_of_it)


def test_its_stage_names_what_ships_and_restores_the_usage() -> None:
    [stage] = stages_of(PROFILES["time"])
    system = Phoenix(PROFILES["time"])
    weights = {key: value for key, value in system.codec.state_dict().items() if key != "quantiser.usage"}
    getattr(system, stage.name).load_state_dict(stage.completed(weights))
    assert torch.allclose(system.codec.quantiser.usage, torch.tensor(1 / 64))


@pytest.mark.slow
def test_the_tiny_preset_trains_and_goes_through_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    audio, _ = soundfile.read(CLIP, dtype="float32")
    (tmp_path / "data" / "one").mkdir(parents=True)
    (tmp_path / "data" / "one" / "a.wav").write_bytes(wav(audio[:80_000]))
    monkeypatch.chdir(tmp_path)
    assert "tiny-live" in preset_text("tiny-live")
    arguments = ["--preset", "tiny-live", "--data", "data", "--run", "run", "--steps", "3", "--device", "cpu"]
    assert main(["train", "all", *arguments]) == 0
    bundle = load_bundle(Path("run/tiny-live.safetensors"))
    assert bundle.system.shape.rate_hz == 24_000  # though it was trained at 16000
    Path("talk.wav").write_bytes(wav(audio[:48_000]))
    shape = bundle.system.shape
    for rows in (1, 6):
        coding = ["--bundle", "run/tiny-live.safetensors", "--bitrate", f"{shape.bits_per_s[rows]:g}"]
        assert main(["compress", "-q", "--force", *coding, "talk.wav", "talk.mlc"]) == 0
        assert main(["decompress", "-q", "--force", *coding[:2], "talk.mlc", "back.wav"]) == 0
        back, rate_hz = soundfile.read("back.wav")
        assert (len(back), rate_hz) == (48_000, 16_000)


def test_the_complete_preset_names_every_setting() -> None:
    table = tomllib.loads(preset_text("speech-24k-live"))
    table.pop("profile_in_training")
    assert sorted(named(table)) == sorted(settings(read_preset("speech-24k-live")))


def test_a_harmonic_decoder_learns_the_pitch_of_the_windows() -> None:
    """Which end with their frames: it is that of 9 ms before the middle of a frame."""
    pytest.importorskip("pyworld")
    glide_hz = np.interp(np.arange(16_000) / 16_000, [0.0, 1.0], [100.0, 300.0])
    audio = torch.from_numpy(np.sign(np.sin(2 * np.pi * np.cumsum(glide_hz) / 16_000)) * 0.1).float()[None]
    crops = Crops(audio, audio, audio, FULL[:1])
    mel = MelConfig(16_000, 480, 480, 192, 80, 0.0, 8_000)
    labelled = pitched(crops, mel, PitchScaleConfig(), 144)
    middles = (np.arange(83) + 1) * 192 - 240
    error = np.abs(labelled.pitch_hz[0].numpy() - np.interp(middles, np.arange(16_000), glide_hz))
    assert np.median(error[10:-10]) < 0.7  # Hz; a frame's own middle has 1.8 more
