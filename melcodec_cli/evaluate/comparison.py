"""Two evaluations of the same clips: differences clip by clip, which say far more than two means do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.results import Evaluation, SystemResult
from melcodec_cli.evaluate.statistics import Interval, mean_interval

# Fewer clips than this may all point one way by chance more often than once in twenty times.
FEWEST_CLIPS = 6


@dataclass(frozen=True)
class Difference:
    """Of one metric, second less first, over the clips on which both are defined."""

    key: str
    label: str
    first: float | None  # means over those clips
    second: float | None
    difference: Interval
    verdict: (
        str  # of the second: "better", "worse", or "unclear" where the interval holds 0 or clips are too few
    )


@dataclass(frozen=True)
class Comparison:
    first: str
    second: str
    clips: int  # that both have
    differences: list[Difference]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(first: Evaluation, second: Evaluation) -> list[Comparison]:
    """Every model of the first with the one of its name in the second; without such names, the first of each."""
    before, after = _models(first), _models(second)
    shared = [name for name in before if name in after]
    pairs = [(before[name], after[name]) for name in shared] or [
        (next(iter(before.values())), next(iter(after.values())))
    ]
    metrics = [metric for metric in first.metrics if metric["key"] in second.keys]
    return [_compare(*pair, metrics) for pair in pairs]


def _models(evaluation: Evaluation) -> dict[str, SystemResult]:
    found = {system.name: system for system in evaluation.systems if system.kind == "melcodec"}
    return found or {system.name: system for system in evaluation.systems}


def _compare(first: SystemResult, second: SystemResult, metrics: list[dict[str, str]]) -> Comparison:
    before = {clip.name: clip.scores for clip in first.clips}
    after = {clip.name: clip.scores for clip in second.clips}
    names = [name for name in before if name in after]
    if not names:
        raise UsageProblem(f"{first.name} and {second.name} were not measured on the same clips")
    differences = []
    for metric in metrics:
        key = metric["key"]
        pairs = [
            (one, other)
            for name in names
            if (one := before[name].get(key)) is not None and (other := after[name].get(key)) is not None
        ]
        interval = mean_interval([other - one for one, other in pairs])
        differences.append(
            Difference(
                key,
                metric["label"],
                mean_interval([one for one, _ in pairs]).mean,
                mean_interval([other for _, other in pairs]).mean,
                interval,
                _verdict(interval, metric["better"]),
            )
        )
    return Comparison(first.name, second.name, len(names), differences)


def _verdict(interval: Interval, better: str) -> str:
    if interval.low is None or interval.high is None or interval.count < FEWEST_CLIPS:
        return "unclear"
    if interval.low <= 0 <= interval.high:
        return "unclear"
    return "better" if (interval.low > 0) == (better == "higher") else "worse"
