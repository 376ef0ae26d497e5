"""The record of one conversion, for reports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Record:
    """One conversion. The field names are the keys of `--json` and must not change."""

    source: str
    target: str
    status: str = "done"  # done, skipped, failed, planned (by a dry run), unfinished (when interrupted)
    duration_s: float = 0.0
    rate_hz: int = 0
    channels: int = 0
    mlc_bytes: int = 0
    payload_bits: int = 0  # indices of both kinds, without framing
    bundle: str | None = None  # name of the model that converted it; if there were several, the last
    elapsed_s: float = 0.0
    lost_s: list[list[float]] = field(default_factory=list)  # [from, to] of what was damaged and concealed
    exit_code: int = 0
    error: str | None = None

    @property
    def payload_bits_per_s(self) -> float | None:
        return self.payload_bits / self.duration_s if self.duration_s else None

    @property
    def total_bits_per_s(self) -> float | None:
        return 8 * self.mlc_bytes / self.duration_s if self.duration_s else None

    @property
    def times_real_time(self) -> float | None:
        return self.duration_s / self.elapsed_s if self.duration_s and self.elapsed_s else None

    def to_json(self) -> str:
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name, digits in (("payload_bits_per_s", 2), ("total_bits_per_s", 2), ("times_real_time", 2)):
            value = getattr(self, name)
            values[name] = None if value is None else round(value, digits)
        values["duration_s"], values["elapsed_s"] = round(self.duration_s, 6), round(self.elapsed_s, 6)
        return json.dumps(values)
