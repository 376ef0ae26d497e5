"""The registry of systems: a new one needs one line here.  A system is imported when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from melcodec_cli.layers.settings import ProfileError
from melcodec_cli.systems.system import Option, System

# Maps the `system` of a profile to the class that is built from it.
SYSTEMS = {
    "fmel": "melcodec_cli.systems.fmel.chain:Chain",
    "patch": "melcodec_cli.systems.patch.patch:Patch",
    "meltok": "melcodec_cli.systems.meltok.meltok:Meltok",
    "phoenix": "melcodec_cli.systems.phoenix.phoenix:Phoenix",
}
# Options of systems that have bundles from before they had them, which do not list them.
LATER_OPTIONS = {
    "patch": (Option("effort", "encode", 1, 8, 1),),
    "meltok": (Option("effort", "encode", 1, 8, 1),),
    "phoenix": (Option("effort", "encode", 1, 8, 3),),
}
FIRST = "fmel"  # the system of old profiles, which do not name one


def system_name(profile: Mapping[str, Any]) -> str:
    return str(profile.get("system", FIRST))


def system_of(profile: Mapping[str, Any]) -> type[System]:
    """The class of the system that a profile is for."""
    name = system_name(profile)
    if name not in SYSTEMS:
        raise ProfileError(f"system {name[:80]!r} is unknown; known systems: {', '.join(SYSTEMS)}")
    module, _, attribute = SYSTEMS[name].partition(":")
    found: type[System] = getattr(importlib.import_module(module), attribute)
    return found


def build_system(profile: Mapping[str, Any]) -> System:
    """The profile's system, with random weights."""
    return system_of(profile).from_profile(profile)
