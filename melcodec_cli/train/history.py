"""The history of a stage: the legs of its training, stored in its files and passed on with its weights."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open


@dataclass(frozen=True)
class Leg:
    """The training of a stage by one process."""

    command: str  # empty in older files
    init: str  # weights that it started from, if any
    steps: int
    minutes: float

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value != ""}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Leg:
        steps, minutes = int(told["steps"]), float(told["minutes"])
        return cls(str(told.get("command", "")), str(told.get("init", "")), steps, minutes)


def legs_of(path: Path, stage: str) -> list[Leg]:
    """The legs recorded in a stage's file, a checkpoint or a bundle, oldest first; older files record less."""
    with safe_open(path, "numpy") as file:
        notes: dict[str, str] = file.metadata() or {}
    try:
        return [Leg.from_dict(leg) for leg in _told(notes, stage)]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return []  # an untrusted file may hold anything


def _told(notes: dict[str, str], stage: str) -> list[dict[str, Any]]:
    legs: list[dict[str, Any]]
    if "training" in notes:  # a bundle
        told = json.loads(notes["training"])["stages"][stage]
        legs = told.get("legs") or [{"steps": told["step"], "minutes": told["minutes"]}]
    elif "legs" in notes:
        legs = json.loads(notes["legs"])
    else:
        progress = json.loads(notes["progress"])
        legs = [{"steps": progress["step"], "minutes": round(progress["elapsed_s"] / 60, 2)}]
    return legs


def summary_of(legs: list[Leg]) -> dict[str, Any]:
    """The legs and their totals, for a bundle."""
    return {
        "total_steps": sum(leg.steps for leg in legs),
        "total_minutes": round(sum(leg.minutes for leg in legs), 2),
        "legs": [leg.to_dict() for leg in legs],
    }


def command_line(arguments: Sequence[str]) -> str:
    """The command line as typed, with "~" instead of the user's home, which should not be published."""
    words = [with_tilde(word) for word in ("melcodec", *arguments)]
    return " ".join(
        f"~/{shlex.quote(word[2:])}" if word.startswith("~/") else shlex.quote(word) for word in words
    )


def with_tilde(word: str) -> str:
    home = f"{os.path.expanduser('~')}{os.sep}"
    return f"~/{word.removeprefix(home)}" if word.startswith(home) else word
