"""Every shipped preset can be read, and those of the models give every setting."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from melcodec_cli.errors import UsageProblem
from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.train.presets import Preset, parse_preset, preset_names, preset_text, read_preset
from melcodec_cli.train.stages import shares

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.slow

SPEECH = [name for name in preset_names() if not name.startswith("tiny")]


def settings(preset: Preset) -> Iterator[str]:
    """All settings, such as `profile.mel.bands`, except those of stages that the profile lacks."""
    yield from named(preset.profile, "profile.")
    yield from named(_table(preset.corpus), "corpus.")
    yield from named(_table(preset.augmentation), "augmentation.")
    for stage, parts in preset.stages.items():
        for part, config in vars(parts).items():
            if config is not None:
                yield from named(_table(config), f"stages.{stage}.{part}.")


def _table(config: Any) -> dict[str, Any]:
    assert dataclasses.is_dataclass(config) and not isinstance(config, type)
    return dataclasses.asdict(config)


def named(table: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping) and where + key != "corpus.weights":
            yield from named(value, f"{where}{key}.")
        else:
            yield where + key


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_read(name: str) -> None:
    preset = read_preset(name)
    assert preset.profile["name"] == preset.name == name


def test_a_preset_leaves_out_a_stage_that_its_profile_lacks() -> None:
    preset = read_preset("speech-48k")
    assert preset.profile["refiner"] is None
    assert "refiner" not in preset.stages and "refiner" not in shares(preset)


@pytest.mark.parametrize("name", SPEECH)
def test_the_presets_of_the_models_name_every_setting(name: str) -> None:
    table = tomllib.loads(preset_text(name))
    table.pop("profile_in_training", None)  # names only what differs while it trains
    assert sorted(named(table)) == sorted(settings(read_preset(name)))


def test_settings_of_every_kind_are_among_those_that_must_be_named() -> None:
    found = set(settings(read_preset("speech-16k")))
    assert found >= {
        "profile.mel.bands",
        "profile.vocoder.contrast",
        "corpus.dev_sources",
        "augmentation.room",
        "profile.search.phones",
        "stages.coder.run.ema",
        "stages.coder.losses.envelope",
        "stages.refiner.losses.jump_low",
    }


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "profile must be a table"),
        ("[profile]\n[colour]\nred = 1", "unknown setting colour"),
        ("[profile]\ncolour = 1", "profile has no setting colour"),
        (
            '[profile]\nsystem = "waves"',
            "system 'waves' is unknown; known systems: fmel, patch, meltok, phoenix",
        ),
        ("[profile]\nrefiner = false\n[stages.refiner.run]\nbatch = 4", "no stage refiner"),
        ("[profile]\n[stages.coder]\ncolour = 1", "stages.coder has no setting colour"),
        ("[profile]\n[stages.coder.network]\nwidth = 4", "stages.coder has no setting network"),
        ("[profile.search]\nphones = 1.0", "search.phones needs the listener"),
        ("[profile.phones]\n[stages.phones.losses]\nwidth = 4", "stages.phones has no setting losses"),
        ("[profile]\n[stages.coder.losses]\ncolour = 1", "stages.coder.losses has no setting colour"),
        ('[profile]\n[stages.pitch.run]\nbatch = "4"', "stages.pitch.run.batch must be of type int"),
        ("[profile]\nstages = 1", "profile has no setting stages"),
        ("stages = 1\n[profile]", "stages must be a table"),
        ("[profile]\n[stages]\ncoder = 1", "stages.coder must be a table"),
        ("[profile", "preset odd: "),
    ],
)
def test_an_invalid_setting_of_a_preset_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=said) as caught:
        parse_preset(text, "odd")
    assert str(caught.value).startswith("preset odd: ")


def test_the_published_preset_has_the_published_sizes() -> None:
    """Compares millions of parameters, as closely as the same blocks in another order allow, and other figures."""
    profile = Profile.from_dict(read_preset("published").profile)
    with torch.device("meta"):
        parts = Chain(profile).parts({})
    counts = {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in parts.items()
        if next(part.parameters(), None) is not None
    }
    assert counts.keys() == {"encoder", "quantiser", "decoder", "refiner", "vocoder"}
    coder = sum(counts[part] for part in ("encoder", "quantiser", "decoder"))
    assert coder / 1e6 == pytest.approx(6.3, rel=0.15)
    assert counts["refiner"] / 1e6 == pytest.approx(7.8, rel=0.03)
    assert counts["vocoder"] / 1e6 == pytest.approx(13.0, rel=0.03)
    assert read_preset("published").shape.bits_per_s == {1: 250}
    assert profile.refiner is not None and profile.refiner.steps == 4
