"""Means over clips with 95 % intervals by the bootstrap: clips drawn again and again, the same each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    mean: float | None  # None when nothing was measured
    low: float | None
    high: float | None
    count: int  # of clips; those on which a metric is not defined are left out

    def to_json(self) -> dict[str, float | int | None]:
        return dict(vars(self))


def mean_interval(values: Sequence[float | None]) -> Interval:
    """Percentile interval of the mean; None and NaN are left out."""
    numbers = np.array([value for value in values if value is not None and not math.isnan(value)])
    if not len(numbers):
        return Interval(None, None, None, 0)
    drawn = np.random.default_rng(0).integers(0, len(numbers), (RESAMPLES, len(numbers)))
    means = numbers[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(numbers.mean()), float(low), float(high), len(numbers))
