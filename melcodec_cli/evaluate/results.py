"""What an evaluation found, as plain data: written to JSON and CSV, read again to be compared."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.statistics import Interval, Share, ratio_interval

FORMAT = "melcodec-evaluation-1"
# What a second of speech costs. In means a clip counts by its length, so that they are those of all clips together.
COSTS = {
    "payload_bits_per_s": "payload bit/s",
    "total_bits_per_s": "total bit/s",
    "encode_share_of_real_time": "encoding, s/s",
    "decode_share_of_real_time": "decoding, s/s",
}
# Kinds of metrics, each of which has a table of its own, and its title.
KINDS = {"likeness": "Likeness to the original", "judge": "Judges that no loss knows"}


@dataclass(frozen=True)
class ClipResult:
    name: str
    duration_s: float
    total_bits: int
    payload_bits: int
    encode_s: float
    decode_s: float
    scores: dict[str, float | None]  # by metric key; None where the metric is not defined on this clip
    shares: dict[str, Share] = field(default_factory=dict)  # what those in per cent of something came from

    @classmethod
    def from_json(cls, clip: dict[str, Any]) -> ClipResult:
        """Read a clip, also from an older evaluation, which has no shares."""
        shares = {key: Share(**share) for key, share in clip.get("shares", {}).items()}
        return cls(**{**clip, "shares": shares})

    def part_and_whole(self, key: str) -> tuple[float, float] | None:
        """The part and the whole of a metric or cost; their sums over clips give that of all clips together."""
        if key in COSTS:
            return self.costs[key] * self.duration_s, self.duration_s
        if key in self.shares:
            return 100.0 * self.shares[key].errors, float(self.shares[key].of)
        score = self.scores.get(key)
        return None if score is None else (score, 1.0)

    @property
    def costs(self) -> dict[str, float]:
        """The costs of the clip, by the keys of COSTS."""
        spent = (self.payload_bits, self.total_bits, self.encode_s, self.decode_s)
        return {key: each / self.duration_s for key, each in zip(COSTS, spent, strict=True)}


@dataclass(frozen=True)
class ContenderResult:
    """The figures of a contender, which tables and JSON call a system."""

    name: str
    kind: str
    delay_ms: float  # constant, taken out before measuring
    clips: list[ClipResult]
    about: dict[str, Any] = field(default_factory=dict)

    def mean(self, key: str) -> Interval:
        """The mean of a metric or a cost."""
        found = [pair for clip in self.clips if (pair := clip.part_and_whole(key)) is not None]
        return ratio_interval([part for part, _ in found], [whole for _, whole in found])

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
    metrics: list[dict[str, str]]  # key, label, better, means, kind
    missing: dict[str, str]  # what could not be measured or run here, and why
    systems: list[ContenderResult]
    content: str = "speech"  # of the clips: or "music", or "sound"

    @property
    def keys(self) -> list[str]:
        return [metric["key"] for metric in self.metrics]

    @property
    def share_keys(self) -> list[str]:
        """The keys of the metrics whose errors are added up."""
        return [
            key
            for key in self.keys
            if any(key in clip.shares for each in self.systems for clip in each.clips)
        ]

    def of_kind(self, kind: str) -> list[dict[str, str]]:
        return [metric for metric in self.metrics if metric["kind"] == kind]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "melcodec": self.melcodec,
            "machine": self.machine,
            "content": self.content,
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
                | {"kind": metric.get("kind", "likeness")}
                for metric in document["metrics"]
            ],
            document["missing"],
            [
                ContenderResult(
                    system["name"],
                    system["kind"],
                    system["delay_ms"],
                    [ClipResult.from_json(clip) for clip in system["clips"]],
                )
                for system in document["systems"]
            ],
            document.get("content", "speech"),  # which older evaluations do not say
        )
    except OSError as error:
        raise UsageProblem((error.strerror or str(error)).lower(), path) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageProblem(f"not what 'melcodec evaluate --json' writes: {error}", path) from None


def write_csv(evaluation: Evaluation, file: TextIO) -> None:
    """A row for every clip of every system."""
    own = ["duration_s", "total_bits", "payload_bits", "encode_s", "decode_s"]
    table = csv.writer(file)
    sums = [f"{key}:{name}" for key in evaluation.share_keys for name in ("errors", "of")]
    table.writerow(["system", "clip", *own, *evaluation.keys, *sums])
    for system in evaluation.systems:
        for clip in system.clips:
            scores = [clip.scores.get(key) for key in evaluation.keys]
            shares = [clip.shares.get(key) for key in evaluation.share_keys]
            parts = [part for each in shares for part in ((each.errors, each.of) if each else ("", ""))]
            table.writerow([system.name, clip.name, *(getattr(clip, name) for name in own), *scores, *parts])


def defined(score: float | Share) -> float | None:
    value = float(score)
    return None if math.isnan(value) else value
