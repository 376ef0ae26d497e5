"""Settings as frozen dataclasses, built from JSON or TOML values, which may come from an untrusted file."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from typing import Any

MAX_UPSAMPLE_WIDTH = 4096


class ProfileError(ValueError):
    """An invalid setting, named in the message."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ProfileError(message)


def require_range(stage: str, config: Any, low: float, high: float, *settings: str) -> None:
    """Require each setting to lie in the range (NaN never does)."""
    for setting in settings:
        value = getattr(config, setting)
        require(low <= value <= high, f"{stage}{setting} {value!r} must lie in {low}..{high}")


def require_upsampling(strides: Sequence[int], kernels: Sequence[int], width: int) -> None:
    """Limits of a HiFi-GAN vocoder's lists."""
    require(
        1 <= len(strides) <= 8 and len(kernels) == len(strides),
        "vocoder.upsample_strides and vocoder.upsample_kernels must have the same number of values, 1 to 8",
    )
    require(
        all(1 <= stride <= kernel <= 1024 for stride, kernel in zip(strides, kernels, strict=True)),
        "each of vocoder.upsample_kernels must lie between its stride and 1024",
    )
    require(
        1 << len(strides) <= width <= MAX_UPSAMPLE_WIDTH,
        f"vocoder.upsample_width {width!r} must lie in {1 << len(strides)}..{MAX_UPSAMPLE_WIDTH}",
    )


def build(cls: Any, values: Any, where: str) -> Any:
    """Build a dataclass from plain values; ProfileError names an unknown, missing or mistyped setting."""
    require(isinstance(values, dict), f"{where} must be a table of settings")
    kinds = typing.get_type_hints(cls)
    unknown = set(values) - set(kinds)
    require(not unknown, f"{where} has no setting {', '.join(sorted(map(str, unknown)))[:100]}")
    absent = [
        field.name for field in dataclasses.fields(cls) if _is_needed(field) and field.name not in values
    ]
    require(not absent, f"{where}: missing setting {', '.join(absent)}")
    return cls(**{key: _coerce(kinds[key], value, f"{where}.{key}") for key, value in values.items()})


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _coerce(kind: Any, value: Any, where: str) -> Any:
    options = typing.get_args(kind)
    if type(None) in options:  # X | None; TOML has no null, so it uses false
        return None if value is None or value is False else _coerce(options[0], value, where)
    if dataclasses.is_dataclass(kind):
        return build(kind, value, where)
    if typing.get_origin(kind) is tuple:
        require(isinstance(value, (list, tuple)), f"{where} must be a list")
        return tuple(_coerce(options[0], item, where) for item in value)
    if typing.get_origin(kind) is dict:
        require(isinstance(value, dict), f"{where} must be a table")
        return {str(key): _coerce(options[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        require(abs(value) < 1 << 64, f"{where} is out of range")
        return float(value)
    require(type(value) is kind, f"{where} must be of type {kind.__name__}")
    return value
