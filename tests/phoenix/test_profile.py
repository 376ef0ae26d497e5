"""Profiles: nonsense and sizes that would hurt are refused by name; what ships is within its bounds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from melcodec_cli.bench.operations import REST, mflops
from melcodec_cli.layers.settings import ProfileError
from melcodec_cli.models.bundle import parameter_count
from melcodec_cli.systems.phoenix.config import DECODERS, Profile
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.registry import build_system
from melcodec_cli.train.presets import read_preset


@pytest.mark.parametrize(
    "values, said",
    [
        ({"rate_hz": 44_100}, "rate_hz 44100 must be"),
        ({"colour": 1}, "no setting colour"),
        ({"hop_ms": 40}, "hop_ms must not exceed window_ms"),
        ({"window_ms": 1000}, "window_ms 1000 must lie in"),
        ({"window_ms": 20}, "the number of bins, 160"),
        ({"chunk_frames": 5001}, "chunk_frames 5001 must lie in"),
        ({"chunk_frames": 0}, "chunk_frames 0 must lie in"),
        ({"warmup_frames": 10_000}, "warmup_frames 10000 must lie in"),
        ({"warmup_frames": -1}, "warmup_frames -1 must lie in"),
        ({"decoder": "opera"}, "decoder 'opera'"),
        ({"encoder": {"strides": (5, 4, 4)}}, "must have the same number of values"),
        ({"encoder": {"channels": (32, 32, 128, 10**9)}}, "encoder.channels must lie in"),
        ({"encoder": {"channels": (1024, 32, 128, 304)}}, "encoder.channels make more than"),
        ({"encoder": {"strides": (5, 4, 4, 0)}}, "encoder.strides must lie in"),
        ({"quantiser": {"stages": 33}}, "quantiser.stages 33 must lie in"),
        ({"quantiser": {"codewords": 1}}, "quantiser.codewords 1 must lie in"),
        ({"quantiser": {"codewords": 1 << 17}}, "quantiser.codewords 131072 must lie in"),
        ({"quantiser": {"lookup_width": 0}}, "quantiser.lookup_width 0 must lie in"),
        ({"time": {"strides": (3, 4, 4, 5)}}, "time.strides must be the hop"),
        ({"time": {"kernels": (7, 9, 9, 10)}}, "time.kernels must be odd"),
        ({"time": {"kernels": (7, 9, 9)}}, "time.kernels must be odd"),
        ({"time": {"units": (2, 2, 2, 99)}}, "time.units must be numbers of 1 to 8"),
        ({"time": {"channels": (56, 32, 16, 128)}}, "time.channels make more than"),
        ({"time": {"first_channels": 1025}}, "time.first_channels 1025 must lie in"),
        (
            {"decoder": "istft", "istft": {"strides": (3, 4, 4, 4)}},
            "istft.strides must be the number of bins",
        ),
        ({"decoder": "istft", "istft": {"window_ms": 12}}, "istft.window_ms must be longer than hop_ms"),
        ({"decoder": "istft", "istft": {"window_ms": 31}}, "istft.window_ms must be longer than hop_ms"),
        ({"decoder": "istft", "istft": {"channels": (64, 32)}}, "istft.strides and istft.channels"),
    ],
)
def test_an_invalid_setting_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        Profile.from_dict(values)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_profile_builds_the_same_system_again(decoder: str) -> None:
    with torch.device("meta"):
        one = Phoenix(Profile(decoder=decoder))
        other = build_system(one.profile_values)
    assert isinstance(other, Phoenix)
    assert other.profile == one.profile
    assert other.shape == one.shape


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS)
def test_the_shipped_preset_keeps_its_bounds(decoder: str) -> None:
    """Those of the published system: parameters, operations of all and of the decoder, and delay."""
    profile = {**read_preset("speech-24k-live").profile, "decoder": decoder}
    if decoder != "harmonic":  # the others go with an encoder like the published one
        profile["encoder"] = {}
    system = build_system(profile)
    assert isinstance(system, Phoenix)
    assert 1.2e6 < parameter_count(system) <= 1.5e6
    counted = mflops(system, {})
    assert 100 < counted["decoder"] + counted[REST] <= 300
    assert 400 < sum(counted.values()) <= 700
    assert 20 < 1000 * system.latency_samples / profile["rate_hz"] <= 30


def test_the_published_delay_is_found_from_the_layers() -> None:
    with torch.device("meta"):
        delays = {rate: Phoenix(Profile(rate_hz=rate)).latency_samples for rate in (16_000, 24_000)}
    assert delays == {16_000: 472, 24_000: 716}


def test_a_preset_may_be_trained_at_another_rate() -> None:
    preset = read_preset("speech-24k-live")
    assert (preset.profile["rate_hz"], preset.profile_in_training["rate_hz"]) == (24_000, 16_000)
    assert (preset.shape.rate_hz, preset.shape.frame_samples) == (16_000, 192)
