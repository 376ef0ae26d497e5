"""Presets: all settings for training one model, in a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.settings import ProfileError, build, require
from melcodec_cli.models.bundle import as_module
from melcodec_cli.systems.registry import SYSTEMS, build_system, system_of
from melcodec_cli.systems.system import Shape, System
from melcodec_cli.train.augmentation import Augmentation
from melcodec_cli.train.run_config import RunConfig
from melcodec_cli.train.stage import Stage, by_name

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class CorpusConfig:
    speed_copies: int = 2  # copies of each training clip at other speeds
    # Multiply the duration of a source; 1 if not named.  A source of weight 0 is left out, with its licence.
    weights: dict[str, float] = field(default_factory=dict)
    dev_sources: tuple[str, ...] = ()  # sources whose dev clips measure progress; empty: all

    @property
    def without(self) -> set[str]:
        return {source for source, weight in self.weights.items() if weight == 0}


@dataclass(frozen=True)
class StageSettings:
    """The table [stages.NAME]."""

    run: RunConfig
    losses: Any = None  # an instance of the dataclass that the stage declares


@dataclass(frozen=True, kw_only=True)
class Preset:
    profile: Mapping[str, Any]  # completed by the system
    corpus: CorpusConfig
    stages: Mapping[str, StageSettings]
    augmentation: Augmentation
    name: str  # as given by the user
    # The same with the settings that differ while it is trained, such as the rate; weights have the same shapes.
    profile_in_training: Mapping[str, Any]

    @cached_property
    def declared(self) -> Sequence[Stage]:
        """The stages of the profile's system."""
        return system_of(self.profile).stages(self.profile)

    def built(self) -> System:
        """The system, with random weights."""
        return build_system(self.profile)

    @cached_property
    def shape(self) -> Shape:
        """The shape in training."""
        with torch.device("meta"):
            return build_system(self.profile_in_training).shape


def preset_names() -> list[str]:
    return sorted(_shipped())


def read_preset(name: str, changes: Sequence[str] = ()) -> Preset:
    """Read a built-in preset, by name, or a TOML file, by its path.

    changes: settings with other values, such as "stages.vocoder.run.batch=64".
    """
    text = Path(name).read_text(encoding="utf-8") if name.endswith(".toml") else preset_text(name)
    return parse_preset(text, name, changes)


def preset_text(name: str) -> str:
    shipped = _shipped()
    if name not in shipped:
        raise UsageProblem(
            f"no preset is named {name!r}: choose {', '.join(sorted(shipped))} or give a .toml file"
        )
    return shipped[name].read_text(encoding="utf-8")


def _shipped() -> dict[str, Traversable]:
    """The files in each system's folder `presets`, by name."""
    found = {}
    for place in SYSTEMS.values():
        package = place.partition(":")[0].rpartition(".")[0]
        folder = resources.files(package) / "presets"
        if folder.is_dir():
            for item in folder.iterdir():
                if item.name.endswith(".toml"):
                    found[item.name.removesuffix(".toml")] = item
    return found


def parse_preset(text: str, name: str, changes: Sequence[str] = ()) -> Preset:
    try:
        values: dict[str, Any] = tomllib.loads(text)
        for change in changes:
            _change(values, change)
        known = {"profile", "profile_in_training", "corpus", "augmentation", "stages"}
        unknown = values.keys() - known
        require(not unknown, f"unknown setting {', '.join(sorted(unknown))[:100]}")
        profile = values.get("profile")
        require(isinstance(profile, dict), "profile must be a table of settings")
        with torch.device("meta"):
            whole = build_system(profile or {}).profile_values
            in_training = _in_training(whole, values.get("profile_in_training", {}))
        stages = by_name(system_of(whole).stages(whole))
        tables = values.get("stages", {})
        require(isinstance(tables, dict), "stages must be a table")
        surplus = tables.keys() - stages.keys()
        require(not surplus, f"the profile has no stage {', '.join(sorted(surplus))[:100]}")
        return Preset(
            profile=whole,
            profile_in_training=in_training,
            corpus=build(CorpusConfig, values.get("corpus", {}), "corpus"),
            augmentation=build(Augmentation, values.get("augmentation", {}), "augmentation"),
            stages={each: _settings(stage, tables.get(each, {})) for each, stage in stages.items()},
            name=name,
        )
    except (tomllib.TOMLDecodeError, ProfileError, TypeError) as error:
        raise UsageProblem(f"preset {name}: {error}") from None


def _change(values: dict[str, Any], change: str) -> None:
    """Set what KEY=VALUE says; a value that is no TOML is a word."""
    key, equals, text = change.partition("=")
    *tables, setting = key.strip().split(".")
    require(bool(tables and equals), f"{change!r} is not KEY=VALUE, such as stages.vocoder.run.batch=64")
    for table in tables:
        values = values.setdefault(table, {})
        require(isinstance(values, dict), f"{key}: {table} is not a table of settings")
    try:
        values[setting] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[setting] = text.strip()


def _in_training(profile: dict[str, Any], changes: Any) -> dict[str, Any]:
    """The profile with the changes, which must leave the shapes of the weights as they are."""
    require(isinstance(changes, dict), "profile_in_training must be a table of settings")
    if not changes:
        return profile
    built = [build_system(each) for each in (profile, {**profile, **changes})]
    shapes = [{key: value.shape for key, value in as_module(each).state_dict().items()} for each in built]
    require(shapes[0] == shapes[1], "profile_in_training must not change the shapes of weights")
    return built[1].profile_values


def _settings(stage: Stage, table: Any) -> StageSettings:
    where = f"stages.{stage.name}"
    require(isinstance(table, dict), f"{where} must be a table of settings")
    unknown = table.keys() - ({"run", "losses"} if stage.losses else {"run"})
    require(not unknown, f"{where} has no setting {', '.join(sorted(unknown))[:100]}")
    return StageSettings(
        run=build(RunConfig, table.get("run", {}), f"{where}.run"),
        losses=stage.losses and build(stage.losses, table.get("losses", {}), f"{where}.losses"),
    )
