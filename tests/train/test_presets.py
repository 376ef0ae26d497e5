"""Every preset that ships can be read, and those of the models leave nothing to a default."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.train.presets import Preset, preset_names, read_preset
from tests.train.tiny import preset_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SPEECH = ["published", "speech-16k", "speech-16k-strict", "speech-48k"]


def settings(config: Any, where: str = "") -> Iterator[str]:
    """Every setting of a dataclass and of those in it, such as `profile.mel.bands`."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from settings(value, f"{where}{field.name}.")
        else:
            yield where + field.name


def named(table: dict[str, Any], where: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict) and where + key != "corpus.weights":
            yield from named(value, f"{where}{key}.")
        else:
            yield where + key


def of_a_stage_it_has(setting: str, preset: Preset) -> bool:
    """A preset says nothing of the training of a stage that its profile lacks."""
    return getattr(preset.profile, setting.split(".")[0], True) is not None


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_read(name: str) -> None:
    assert read_preset(name).profile.name == name


def test_a_preset_may_leave_out_a_stage_that_its_profile_lacks() -> None:
    preset = read_preset("speech-48k")
    assert preset.profile.refiner is None
    assert preset.refiner.run.minutes == 0  # no share of what `train all --minutes` gives out


@pytest.mark.parametrize("name", SPEECH)
def test_the_presets_of_the_models_name_every_setting(name: str) -> None:
    preset = read_preset(name)
    wanted = [each for each in settings(preset) if of_a_stage_it_has(each, preset)]
    assert sorted(named(tomllib.loads(preset_text(name)))) == sorted(wanted)


def test_the_published_preset_has_the_published_sizes() -> None:
    """In millions of parameters, as far as the same blocks in another order can have them; and in figures."""
    profile = read_preset("published").profile
    with torch.device("meta"):
        counts = Chain(profile).parameter_counts()
    assert counts.keys() == {"encoder", "quantiser", "decoder", "refiner", "vocoder"}
    coder = sum(counts[part] for part in ("encoder", "quantiser", "decoder"))
    assert coder / 1e6 == pytest.approx(6.3, rel=0.15)
    assert counts["refiner"] / 1e6 == pytest.approx(7.8, rel=0.03)
    assert counts["vocoder"] / 1e6 == pytest.approx(13.0, rel=0.03)
    assert profile.tokens_per_second * profile.coder.index_bits == 250
    assert profile.refiner is not None and profile.refiner.steps == 4
