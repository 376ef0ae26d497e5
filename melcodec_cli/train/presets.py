"""Presets: everything about the training of one model, in one TOML file."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from melcodec_cli.errors import UsageProblem
from melcodec_cli.systems.fmel.config import Profile, ProfileError, build
from melcodec_cli.systems.fmel.train.coder import CoderLosses
from melcodec_cli.systems.fmel.train.listener import ListenerConfig
from melcodec_cli.systems.fmel.train.pitch import PitchLosses
from melcodec_cli.systems.fmel.train.refiner import RefinerLosses
from melcodec_cli.systems.fmel.train.vocoder import VocoderLosses
from melcodec_cli.train.augmentation import Augmentation
from melcodec_cli.train.run import RunConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class CorpusConfig:
    speed_copies: int = 2  # copies of each training clip at other speeds
    weights: dict[str, float] = field(
        default_factory=dict
    )  # of sources, times their duration; 1 if not named
    dev_sources: tuple[str, ...] = ()  # whose dev clips training is judged by; all if empty


@dataclass(frozen=True)
class CoderStage:
    run: RunConfig
    losses: CoderLosses = field(default_factory=CoderLosses)


@dataclass(frozen=True)
class PitchStage:
    run: RunConfig = field(default_factory=RunConfig)
    losses: PitchLosses = field(default_factory=PitchLosses)


@dataclass(frozen=True)
class PhonesStage:
    """Of a judge, which is no part of the model: hence its network is not in the profile."""

    run: RunConfig = field(default_factory=RunConfig)
    network: ListenerConfig = field(default_factory=ListenerConfig)


@dataclass(frozen=True)
class RefinerStage:
    run: RunConfig = field(default_factory=RunConfig)
    losses: RefinerLosses = field(default_factory=RefinerLosses)


@dataclass(frozen=True)
class VocoderStage:
    run: RunConfig
    losses: VocoderLosses = field(default_factory=VocoderLosses)


@dataclass(frozen=True, kw_only=True)
class Preset:
    profile: Profile
    corpus: CorpusConfig
    phones: PhonesStage = field(default_factory=PhonesStage)
    coder: CoderStage
    # A profile may lack these two, and its preset then says nothing of them.
    pitch: PitchStage = field(default_factory=PitchStage)
    refiner: RefinerStage = field(default_factory=RefinerStage)
    vocoder: VocoderStage
    augmentation: Augmentation = field(default_factory=Augmentation)


def preset_names() -> list[str]:
    folder = resources.files("melcodec_cli.train") / "presets"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_preset(name: str) -> Preset:
    """A preset that ships, by name, or any TOML file, by its path."""
    if name.endswith(".toml"):
        text = Path(name).read_text(encoding="utf-8")
    elif name in preset_names():
        text = (resources.files("melcodec_cli.train") / "presets" / f"{name}.toml").read_text(
            encoding="utf-8"
        )
    else:
        raise UsageProblem(
            f"no preset is named {name!r}; there are {', '.join(preset_names())}, or give a .toml file"
        )
    return parse_preset(text, name)


def parse_preset(text: str, name: str) -> Preset:
    try:
        values: dict[str, Any] = tomllib.loads(text)
        preset: Preset = build(Preset, values, name)
    except (tomllib.TOMLDecodeError, ProfileError, TypeError) as error:
        raise UsageProblem(f"preset {name}: {error}") from None
    return preset
