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
    if not pairs:
        return NOTHING
    numbers, shares = np.array(pairs).T
    drawn = np.random.default_rng(0).integers(0, len(numbers), (RESAMPLES, len(numbers)))
    means = (numbers * shares)[drawn].sum(axis=1) / shares[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(np.average(numbers, weights=shares)), float(low), float(high), len(numbers))
