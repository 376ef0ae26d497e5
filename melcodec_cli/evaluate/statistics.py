"""Means over clips with 95 % intervals by the bootstrap: clips drawn again and again, the same each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """Errors among so many: that of a corpus is the one of its sums rather than the mean of its clips'."""

    errors: int
    of: int

    def __float__(self) -> float:
        """In per cent."""
        return 100 * self.errors / self.of if self.of else float("nan")


@dataclass(frozen=True)
class Interval:
    mean: float | None  # None when nothing was measured
    low: float | None
    high: float | None
    count: int  # of clips; those on which a metric is not defined are left out

    def to_json(self) -> dict[str, float | int | None]:
        return dict(vars(self))


NOTHING = Interval(None, None, None, 0)


def spent(interval: Interval) -> Interval:
    """Nothing, where nothing was: a reference has no rate."""
    return interval if interval.mean else NOTHING


def times(share: Interval) -> Interval:
    """Times faster than real time, from the share of it."""
    if not share.mean or not share.low or not share.high:
        return NOTHING
    return Interval(1 / share.mean, 1 / share.high, 1 / share.low, share.count)


def mean_interval(values: Sequence[float | None], weights: Sequence[float] | None = None) -> Interval:
    """Percentile interval of the mean, in which clips may weigh differently; None and NaN are left out."""
    pairs = [
        (value, weight)
        for value, weight in zip(values, weights or [1.0] * len(values), strict=True)
        if value is not None and not math.isnan(value)
    ]
    return ratio_interval([value * weight for value, weight in pairs], [weight for _, weight in pairs])


def ratio_interval(parts: Sequence[float], wholes: Sequence[float]) -> Interval:
    """The same of what the parts of all clips together are of their wholes."""
    return difference_interval([0.0] * len(parts), [1.0] * len(parts), parts, wholes)


def difference_interval(
    parts_before: Sequence[float],
    wholes_before: Sequence[float],
    parts_after: Sequence[float],
    wholes_after: Sequence[float],
) -> Interval:
    """The same of the ratio after less the ratio before, both of the same clips at every draw."""
    table = np.array([parts_before, wholes_before, parts_after, wholes_after], dtype=np.float64)
    count = table.shape[1]
    if not count or not table[1].any() or not table[3].any():
        return NOTHING
    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    differences = _difference(*table[:, drawn].sum(axis=2))
    differences = differences[
        np.isfinite(differences)
    ]  # without draws of clips that have nothing to divide by
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(_difference(*table.sum(axis=1))), float(low), float(high), count)


def _difference(part_before: Table, whole_before: Table, part_after: Table, whole_after: Table) -> Table:
    with np.errstate(invalid="ignore", divide="ignore"):
        return part_after / whole_after - part_before / whole_before
