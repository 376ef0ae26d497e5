"""What systems that are made of torch modules have in common: a frozen profile that sets them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from melcodec_cli.systems.profile import ProfileT, SystemProfile

if TYPE_CHECKING:
    from melcodec_cli.train.stage import Stage


NetworksT = TypeVar("NetworksT", bound="Networks[Any]")


class Networks(nn.Module, Generic[ProfileT]):
    profile_class: ClassVar[type[SystemProfile]]

    def __init__(self, profile: ProfileT) -> None:
        super().__init__()
        self.profile = profile

    @classmethod
    def from_profile(cls: type[NetworksT], profile: Mapping[str, Any]) -> NetworksT:
        return cls(cls.profile_class.from_dict(profile))

    @classmethod
    def stages(cls, profile: Mapping[str, Any]) -> Sequence[Stage]:
        """How it is trained, as train/stages.py in its folder says; imported only to train."""
        folder = cls.__module__.rpartition(".")[0]
        stages: Sequence[Stage] = import_module(f"{folder}.train.stages").stages_of(
            cls.profile_class.from_dict(profile)
        )
        return stages

    @property
    def profile_values(self) -> dict[str, Any]:
        return self.profile.to_dict()

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device
