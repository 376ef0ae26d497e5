"""What the profiles of all systems have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from melcodec_cli.layers.settings import build

ProfileT = TypeVar("ProfileT", bound="SystemProfile")


@dataclass(frozen=True)
class SystemProfile:
    """Settings of a system, checked where they are made."""

    system: ClassVar[str | None] = (
        None  # its name in the registry; None for the first system, whose files omit it
    )

    def to_dict(self) -> dict[str, Any]:
        named = {"system": self.system} if self.system else {}
        return named | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls: type[ProfileT], values: Mapping[str, Any]) -> ProfileT:
        own = {name: value for name, value in values.items() if name != "system"}
        profile: ProfileT = build(cls, own, "profile")
        return profile
