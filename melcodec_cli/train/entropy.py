"""Makes tables for entropy coding from the indices that a model gives to a corpus.

An index depends on two neighbours. The codewords that either may be fall into classes, by what is seen beside them; the
pairs of classes fall into distributions, by what follows them. What was seen seldom is filled up with what either
neighbour alone says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mlcfile import Header, Layout, Source, Tables
from mlcfile.payload import pack_codes
from mlcfile.tables import MAX_DISTRIBUTIONS, MAX_FREQUENCIES, TOTAL
from numpy.typing import NDArray

from melcodec_cli.errors import UsageProblem

Clip = NDArray[np.int64]  # indices (frame, row)
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

COLUMN_SOURCES = ((1, 0), (0, 1))  # (frames before, rows below): the index before, and the one below
LINE_SOURCES = ((1, 0), (2, 0))  # of one row: the two indices before
MOST_CODEWORDS = 8192  # a square of them must fit the memory
VECTOR_VALUES = 32  # that describe a codeword or a pair of classes
HELD_OUT = 10  # one in so many clips decides how many classes the tables have
SINGLE_STRENGTH = 300.0  # how many sightings the frequencies without any neighbour count as
PAIR_STRENGTH = 1000.0  # how many sightings what either neighbour says counts as, when pairs are compared


@dataclass(frozen=True)
class Setting:
    """How finely tables distinguish."""

    classes: int  # of each neighbour
    distributions: int
    strength: float  # how many sightings what either neighbour says counts as, in a distribution


SIZES = ((8, 16), (16, 64), (32, 128), (64, 240))  # the last are 2 MB for 4096 codewords
STRENGTHS = (300.0, 1000.0, 3000.0, 10_000.0, 30_000.0, 100_000.0)


@dataclass(frozen=True)
class Sightings:
    """Every index of some clips, and its two neighbours; a number beyond the codewords stands for "outside"."""

    codewords: int
    index: Ints
    neighbours: tuple[Ints, Ints]

    @classmethod
    def of(cls, clips: Sequence[Clip], places: Sequence[tuple[int, int]], codewords: int) -> Sightings:
        pairs = [[_shifted(clip, *place, codewords).ravel() for clip in clips] for place in places]
        first, second = (np.concatenate(each) for each in pairs)
        return cls(codewords, np.concatenate([clip.ravel() for clip in clips]), (first, second))


@dataclass(frozen=True)
class Saving:
    """What tables save on clips that they were not made from."""

    train_indices: int
    dev_indices: int
    raw_bytes: int  # of the dev clips' chunks, without tables
    coded_bytes: int

    @property
    def percent(self) -> float:
        return 100 * (1 - self.coded_bytes / self.raw_bytes)

    def __str__(self) -> str:
        raw, coded = (8 * size / self.dev_indices for size in (self.raw_bytes, self.coded_bytes))
        return (
            f"from {self.train_indices} indices; {self.dev_indices} others take {coded:.2f} instead of {raw:.2f} bits "
            f"each, which saves {self.percent:.1f} %"
        )


def make_and_measure(
    train: Sequence[Clip], dev: Sequence[Clip], codewords: int, layout: Layout
) -> tuple[Tables, Saving]:
    tables = make_tables(train, codewords)
    sizes = coded_bytes(None, dev, layout), coded_bytes(tables, dev, layout)
    return tables, Saving(sum(clip.size for clip in train), sum(clip.size for clip in dev), *sizes)


def make_tables(clips: Sequence[Clip], codewords: int) -> Tables:
    """The tables that fit the clips best, as those held out decide; the clips must be no longer than a chunk."""
    if codewords > MOST_CODEWORDS:
        raise UsageProblem(f"tables cannot be made for more than {MOST_CODEWORDS} codewords")
    fitted = [clip for number, clip in enumerate(clips) if number % HELD_OUT] or clips
    held_out = clips[::HELD_OUT]
    places = places_for(clips[0].shape[1])
    best, least = Setting(*SIZES[0], STRENGTHS[0]), float("inf")
    for classes, distributions in SIZES:
        if distributions > min(MAX_DISTRIBUTIONS, MAX_FREQUENCIES // codewords) or classes > codewords:
            continue
        grouping = Grouping(Sightings.of(fitted, places, codewords), classes, distributions)
        held = Sightings.of(held_out, places, codewords)
        for strength in STRENGTHS:
            bits = grouping.bits_an_index(held, strength)
            if bits < least:
                best, least = Setting(classes, distributions, strength), bits
    grouping = Grouping(Sightings.of(clips, places, codewords), best.classes, best.distributions)
    return grouping.tables(places, best.strength)


def places_for(rows: int) -> tuple[tuple[int, int], ...]:
    return COLUMN_SOURCES if rows > 1 else LINE_SOURCES


class Grouping:
    """Classes of the neighbours and distributions for the pairs of them."""

    def __init__(self, seen: Sightings, classes: int, distributions: int) -> None:
        self.seen = seen
        self.classes = classes
        counts = np.bincount(seen.index, minlength=seen.codewords) + 0.5
        self._overall = (counts / counts.sum()).astype(np.float32)
        self.class_of = tuple(self._classes_of(neighbour) for neighbour in seen.neighbours)
        pairs = self._pairs(seen)
        counted = _counted(pairs, seen.index, classes * classes, seen.codewords)
        either = self._either()
        told = _mixed(counted, either, PAIR_STRENGTH)
        sightings = counted.sum(1)
        self.distribution_of = _distributions(told, sightings, distributions)
        self._counts = _summed(counted, self.distribution_of, distributions)
        # Pairs that were never seen decide only where nothing else does.
        weighted = either * (sightings + 0.01)[:, None]
        self._before = _summed(weighted, self.distribution_of, distributions)
        self._before += 1e-9 * self._overall
        self._before /= self._before.sum(1, keepdims=True)

    def bits_an_index(self, of: Sightings, strength: float) -> float:
        """How many bits the indices would take, without the states."""
        frequencies = self.frequencies(strength)
        found = frequencies[self.distribution_of[self._pairs(of)], of.index]
        return float(-np.log2(found / TOTAL).mean())

    def frequencies(self, strength: float) -> Ints:
        return in_integers(_mixed(self._counts, self._before, strength))

    def tables(self, places: Sequence[tuple[int, int]], strength: float) -> Tables:
        sources = tuple(Source(*place, classes) for place, classes in zip(places, self.class_of, strict=True))
        first, second = (int(classes.max()) + 1 for classes in self.class_of)
        contexts = self.distribution_of.reshape(self.classes, self.classes)[:first, :second].reshape(-1)
        return Tables(sources, np.zeros(32, np.int64), contexts, self.frequencies(strength))

    def _classes_of(self, neighbour: Ints) -> Ints:
        codewords = self.seen.codewords
        counted = _counted(neighbour, self.seen.index, codewords + 1, codewords)
        sightings = counted.sum(1)
        told = _mixed(counted, self._overall[None], 20.0)
        vectors = _vectors(np.sqrt(told) - np.sqrt(self._overall), sightings)
        return _nearest_means(vectors, sightings, self.classes)

    def _pairs(self, of: Sightings) -> Ints:
        first, second = (
            classes[neighbour] for classes, neighbour in zip(self.class_of, of.neighbours, strict=True)
        )
        return first * self.classes + second

    def _either(self) -> Floats:
        """What each pair of classes says of the index, if its two neighbours said so independently."""
        singles = []
        for classes, neighbour in zip(self.class_of, self.seen.neighbours, strict=True):
            counted = _counted(classes[neighbour], self.seen.index, self.classes, self.seen.codewords)
            singles.append(np.log(_mixed(counted, self._overall[None], SINGLE_STRENGTH)))
        first, second = singles
        both = first[:, None] + second[None] - np.log(self._overall)
        both = both.reshape(self.classes * self.classes, -1)
        np.exp(both - both.max(1, keepdims=True), out=both)
        both /= both.sum(1, keepdims=True)
        return both


def in_integers(shares: Floats) -> Ints:
    """Frequencies, each at least 1, that sum up to the total in each row; what is left over goes to the most likely."""
    spread = TOTAL - shares.shape[1]
    frequencies = 1 + (shares.astype(np.float64) * spread).astype(np.int64)
    rows, most = np.arange(len(shares)), shares.argmax(1)
    frequencies[rows, most] += TOTAL - frequencies.sum(1)
    return frequencies


def coded_bytes(tables: Tables | None, clips: Sequence[Clip], layout: Layout) -> int:
    """The size of the clips' chunks in a file, with these tables or without any."""
    tables_id = None if tables is None else tables.id
    header = Header(bytes(4), bytes(2), layout.model_rate_hz, 1, None, layout=layout, tables_id=tables_id)
    return sum(len(pack_codes(header, clip[None].astype(np.uint16), None, tables)) for clip in clips)


def _shifted(clip: Clip, frames: int, rows: int, outside: int) -> Ints:
    moved = np.full_like(clip, outside)
    moved[frames:, rows:] = clip[: len(clip) - frames, : clip.shape[1] - rows]
    return moved


def _counted(first: Ints, second: Ints, rows: int, columns: int) -> Floats:
    counts = np.bincount(first * columns + second, minlength=rows * columns)
    return counts.reshape(rows, columns).astype(np.float32)


def _mixed(counts: Floats, before: Floats, strength: float) -> Floats:
    """Shares: what was counted, on top of what was known before."""
    return np.asarray((counts + strength * before) / (counts.sum(1, keepdims=True) + strength), np.float32)


def _summed(values: Floats, group_of: Ints, groups: int) -> Floats:
    total = np.zeros((groups, values.shape[1]), np.float32)
    np.add.at(total, group_of, values)
    return total


def _vectors(rows: Floats, weights: Floats) -> Floats:
    """The rows in the few directions in which they differ most."""
    weighted = rows * np.sqrt(weights + 1)[:, None]
    random = np.random.default_rng(0)
    basis = weighted.T @ (weighted @ random.standard_normal((rows.shape[1], VECTOR_VALUES), np.float32))
    for _ in range(3):
        basis = weighted.T @ (weighted @ np.linalg.qr(basis)[0])
    return rows @ np.linalg.qr(basis)[0]


def _nearest_means(points: Floats, weights: Floats, count: int, rounds: int = 25) -> Ints:
    """The class of each point, by weighted k-means from starts that are far apart."""
    random = np.random.default_rng(0)
    weights = weights + 1e-3
    means = points[[int(weights.argmax())]]
    distances = ((points - means[0]) ** 2).sum(1)
    while len(means) < count:
        chances = distances * weights
        total = chances.sum()
        if not total:  # fewer different points than classes
            break
        start = int(np.searchsorted(np.cumsum(chances), random.random() * total))
        means = np.vstack([means, points[min(start, len(points) - 1)]])
        distances = np.minimum(distances, ((points - means[-1]) ** 2).sum(1))
    nearest = np.zeros(len(points), np.int64)
    for _ in range(rounds):
        nearest = ((means**2).sum(1) - 2 * points @ means.T).argmin(1)
        mass = np.bincount(nearest, weights, len(means))
        sums = _summed(points * weights[:, None].astype(np.float32), nearest, len(means))
        means = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-9)[:, None], means).astype(np.float32)
    return nearest


def _distributions(told: Floats, sightings: Floats, count: int) -> Ints:
    """The distribution of each pair: pairs that say much the same share one."""
    centre = np.sqrt((told * sightings[:, None]).sum(0) / sightings.sum())
    return _nearest_means(_vectors(np.sqrt(told) - centre, sightings), sightings, count)
