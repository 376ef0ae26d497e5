"""Two evaluations of the same clips: differences clip by clip, which say far more than two means do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.results import COSTS, ClipResult, ContenderResult, Evaluation
from melcodec_cli.evaluate.statistics import Interval, difference_interval, ratio_interval

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
    costs = [{"key": key, "label": label, "better": "lower"} for key, label in COSTS.items()]
    if first.machine != second.machine:
        costs = [cost for cost in costs if not cost["key"].endswith("of_real_time")]
    return [_compare(*pair, [*metrics, *costs]) for pair in pairs]


def _models(evaluation: Evaluation) -> dict[str, ContenderResult]:
    found = {system.name: system for system in evaluation.systems if system.kind == "melcodec"}
    return found or {system.name: system for system in evaluation.systems}


def _compare(first: ContenderResult, second: ContenderResult, metrics: list[dict[str, str]]) -> Comparison:
    before = {clip.name: clip for clip in first.clips}
    after = {clip.name: clip for clip in second.clips}
    names = [name for name in before if name in after]
    if not names:
        raise UsageProblem(f"{first.name} and {second.name} were not measured on the same clips")
    differences = [_difference(metric, [(before[name], after[name]) for name in names]) for metric in metrics]
    return Comparison(first.name, second.name, len(names), differences)


def _difference(metric: dict[str, str], pairs: Sequence[tuple[ClipResult, ClipResult]]) -> Difference:
    key, better = metric["key"], metric["better"]
    found = [
        (one, other)
        for before, after in pairs
        if (one := _part_and_whole(before, key, better)) is not None
        and (other := _part_and_whole(after, key, better)) is not None
    ]
    parts = [[one[0] for one, _ in found], [other[0] for _, other in found]]
    wholes = [[one[1] for one, _ in found], [other[1] for _, other in found]]
    first, second = (ratio_interval(*each) for each in zip(parts, wholes, strict=True))
    difference = difference_interval(parts[0], wholes[0], parts[1], wholes[1])
    label = f"|{metric['label']}|" if better == "zero" else metric["label"]
    return Difference(key, label, first.mean, second.mean, difference, _verdict(difference, better))


def _part_and_whole(clip: ClipResult, key: str, better: str) -> tuple[float, float] | None:
    """Of what is best at zero, how far it is from there."""
    found = clip.part_and_whole(key)
    return (abs(found[0]), found[1]) if found is not None and better == "zero" else found


def _verdict(interval: Interval, better: str) -> str:
    if interval.low is None or interval.high is None or interval.count < FEWEST_CLIPS:
        return "unclear"
    if interval.low <= 0 <= interval.high:
        return "unclear"
    return "better" if (interval.low > 0) == (better == "higher") else "worse"
