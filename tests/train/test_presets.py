"""Every preset that ships can be read, and those of the models leave nothing to a default."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from melcodec_cli.train.presets import Preset, preset_names, read_preset

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SPEECH = ["speech-16k", "speech-16k-strict", "speech-48k"]


def source(name: str) -> str:
    folder = resources.files("melcodec_cli.train") / "presets"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


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
    assert sorted(named(tomllib.loads(source(name)))) == sorted(wanted)
