"""What an evaluation found, as plain data: written to JSON and CSV, read again to be compared."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.statistics import Interval, mean_interval

FORMAT = "melcodec-evaluation-1"
# What a second of speech costs. In means a clip counts by its length, so that they are those of all clips together.
COSTS = {
    "payload_bits_per_s": "payload bit/s",
    "total_bits_per_s": "total bit/s",
    "encode_share_of_real_time": "encoding, s/s",
    "decode_share_of_real_time": "decoding, s/s",
}


@dataclass(frozen=True)
class ClipResult:
    name: str
    duration_s: float
    total_bits: int
    payload_bits: int
    encode_s: float
    decode_s: float
    scores: dict[str, float | None]  # by metric key; None where the metric is not defined on this clip

    @property
    def costs(self) -> dict[str, float]:
        """By the keys of COSTS."""
        spent = (self.payload_bits, self.total_bits, self.encode_s, self.decode_s)
        return {key: each / self.duration_s for key, each in zip(COSTS, spent, strict=True)}


@dataclass(frozen=True)
class SystemResult:
    name: str
    kind: str
    delay_ms: float  # constant, taken out before measuring
    clips: list[ClipResult]
    about: dict[str, Any] = field(default_factory=dict)

    def mean(self, key: str) -> Interval:
        """Of a metric or a cost."""
        if key in COSTS:
            return mean_interval(
                [clip.costs[key] for clip in self.clips], [clip.duration_s for clip in self.clips]
            )
        return mean_interval([clip.scores.get(key) for clip in self.clips])

    @property
    def payload_bits_per_s(self) -> float:
        return self.mean("payload_bits_per_s").mean or 0.0

    def to_json(self, keys: list[str]) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            **self.about,
            "delay_ms": round(self.delay_ms, 3),
            **{key: self.mean(key).mean for key in COSTS},
            "mean": {key: self.mean(key).to_json() for key in [*COSTS, *keys]},
            "clips": [asdict(clip) for clip in self.clips],
        }


@dataclass(frozen=True)
class Evaluation:
    melcodec: str  # version
    machine: str
    metrics: list[dict[str, str]]  # key, label, better, means
    missing: dict[str, str]  # what could not be measured or run here, and why
    systems: list[SystemResult]

    @property
    def keys(self) -> list[str]:
        return [metric["key"] for metric in self.metrics]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "melcodec": self.melcodec,
            "machine": self.machine,
            "metrics": self.metrics,
            "missing": self.missing,
            "systems": [system.to_json(self.keys) for system in self.systems],
        }


def write_json(evaluation: Evaluation, file: TextIO) -> None:
    json.dump(evaluation.to_json(), file, indent=1, allow_nan=False)
    file.write("\n")


def read_json(path: Path) -> Evaluation:
    try:
        document = json.loads(path.read_text())
        if document["format"] != FORMAT:
            raise UsageProblem(f"is {document['format']}, not {FORMAT}", path)
        if not document["systems"]:
            raise UsageProblem("holds no systems", path)
        return Evaluation(
            document["melcodec"],
            document["machine"],
            [
                {name: metric[name] for name in ("key", "label", "better", "means")}
                for metric in document["metrics"]
            ],
            document["missing"],
            [
                SystemResult(
                    system["name"],
                    system["kind"],
                    system["delay_ms"],
                    [ClipResult(**clip) for clip in system["clips"]],
                )
                for system in document["systems"]
            ],
        )
    except OSError as error:
        raise UsageProblem((error.strerror or str(error)).lower(), path) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageProblem(f"not what 'melcodec evaluate --json' writes: {error}", path) from None


def write_csv(evaluation: Evaluation, file: TextIO) -> None:
    """A row for every clip of every system."""
    own = ["duration_s", "total_bits", "payload_bits", "encode_s", "decode_s"]
    table = csv.writer(file)
    table.writerow(["system", "clip", *own, *evaluation.keys])
    for system in evaluation.systems:
        for clip in system.clips:
            scores = [clip.scores.get(key) for key in evaluation.keys]
            table.writerow([system.name, clip.name, *(getattr(clip, name) for name in own), *scores])


def defined(score: float) -> float | None:
    return None if math.isnan(score) else score
