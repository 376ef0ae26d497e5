"""Tables for entropy coding: how often each index occurs beside which neighbours, in integers only.

They come with a model, from whoever made it, so nothing is believed before it has been checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .header import Header
from .layout import MAX_ROWS, check_range

PROBABILITY_BITS = 16
TOTAL = 1 << PROBABILITY_BITS  # of the frequencies of each distribution
TABLES_ID_BYTES = 4
MAX_CODEWORDS = 1 << 16
MAX_SOURCES = 4
MAX_SOURCE_FRAMES = 8
MAX_CONTEXTS = 1 << 16
MAX_DISTRIBUTIONS = 512
MAX_FREQUENCIES = 1 << 20  # of all distributions together, so that tables take little more than 2 MB
# Codewords and number of sources; each source; row classes; contexts; distributions and their frequencies.
MAX_TABLES_BYTES = (
    5
    + MAX_SOURCES * (4 + 2 * (MAX_CODEWORDS + 1))
    + 1
    + MAX_ROWS
    + 2 * MAX_CONTEXTS
    + 2
    + 2 * MAX_FREQUENCIES
)

Integers = NDArray[np.integer[Any]]


class Source(NamedTuple):
    """A neighbour that an index depends on, and the class of each index that may be there."""

    frames: int  # so many before
    rows: int  # so many below
    classes: Integers  # of each index, and at the end that of a place outside the chunk


@dataclass(frozen=True, eq=False)
class Tables:
    """Contexts and frequencies. The classes of the sources and of the row make an index's context."""

    sources: tuple[Source, ...]
    row_classes: Integers  # (32,)
    contexts: (
        Integers  # number of the distribution for each combination of classes, the row's counting fastest
    )
    frequencies: Integers  # (distribution, codeword), each at least 1, each distribution's sum 65536

    def __post_init__(self) -> None:
        if np.ndim(self.frequencies) != 2:
            raise ValueError("frequencies are not a table with a row for each distribution")
        distributions, codewords = self.frequencies.shape
        check_range("codewords", codewords, 2, MAX_CODEWORDS)
        check_range("distributions", distributions, 1, MAX_DISTRIBUTIONS)
        check_range("frequencies", distributions * codewords, 2, MAX_FREQUENCIES)
        check_range("sources", len(self.sources), 1, MAX_SOURCES)
        for source in self.sources:
            check_range("frames of a source", source.frames, 0, MAX_SOURCE_FRAMES)
            check_range("rows of a source", source.rows, 0, MAX_ROWS - 1)
            check_range("distance of a source", source.frames + source.rows, 1, MAX_SOURCE_FRAMES + MAX_ROWS)
            _check_numbers("classes of a source", source.classes, codewords + 1, MAX_CONTEXTS)
        _check_numbers("row classes", self.row_classes, MAX_ROWS, MAX_ROWS)
        combinations = int(np.prod([int(count) for count in self.class_counts], dtype=object))
        check_range("contexts", combinations, 1, MAX_CONTEXTS)
        _check_numbers("contexts", self.contexts, combinations, distributions)
        if self.frequencies.min() < 1 or (self.frequencies.sum(1, dtype=np.int64) != TOTAL).any():
            raise ValueError(
                f"the frequencies of a distribution are not all at least 1 with a sum of {TOTAL}"
            )

    @property
    def codewords(self) -> int:
        return int(self.frequencies.shape[1])

    @property
    def class_counts(self) -> tuple[int, ...]:
        """How many classes each source has, and at the end how many the rows have."""
        return tuple(
            int(classes.max()) + 1 for classes in (*(s.classes for s in self.sources), self.row_classes)
        )

    @cached_property
    def id(self) -> bytes:
        """What a header names the tables by."""
        return sha256(pack_tables(self)).digest()[:TABLES_ID_BYTES]

    def check_for(self, header: Header) -> None:
        """Raises unless these are the tables that the header names, and they fit its indices."""
        if header.tables_id is None:
            raise ValueError("the stream is not entropy coded, so it takes no tables")
        if header.tables_id != self.id:
            raise ValueError(f"the stream needs the tables {header.tables_id.hex()}, not {self.id.hex()}")
        if self.codewords > 1 << header.layout.index_bits:
            raise ValueError(
                f"tables for {self.codewords} codewords, but indices of {header.layout.index_bits} bits"
            )

    @cached_property
    def weighted_classes(self) -> tuple[NDArray[np.int64], ...]:
        """The classes of each source and of the rows, so multiplied that a context is their sum."""
        weights = np.cumprod((1, *self.class_counts[:0:-1]))[::-1]
        classes = (*(source.classes for source in self.sources), self.row_classes)
        return tuple(each.astype(np.int64) * weight for each, weight in zip(classes, weights, strict=True))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """For each distribution, where the slots of each codeword begin, and at the end the total."""
        starts = np.zeros((len(self.frequencies), self.codewords + 1), np.int64)
        np.cumsum(self.frequencies, 1, out=starts[:, 1:])
        return starts

    @cached_property
    def ranges(self) -> NDArray[np.int64]:
        """Start and frequency of each codeword, side by side, one distribution after the other."""
        return np.stack([self.starts[:, :-1], self.frequencies], -1).reshape(-1, 2)

    @cached_property
    def starts_as_lists(self) -> dict[int, list[int]]:
        """The same as Python's own integers, for the distributions that a decoder has met so far."""
        return {}

    @cached_property
    def codeword_of_slot(self) -> NDArray[np.uint16]:
        """The codeword of each slot, one distribution after the other; made when a decoder first needs it."""
        codewords = np.arange(self.codewords, dtype=np.uint16)
        slots = np.empty((len(self.frequencies), TOTAL), np.uint16)
        for row, frequencies in zip(slots, self.frequencies, strict=True):
            row[:] = np.repeat(codewords, frequencies)
        return slots.reshape(-1)


def pack_tables(tables: Tables) -> bytes:
    """The exact integers as bytes: what the id hashes and what a model carries."""
    parts = [tables.codewords.to_bytes(4, "big"), bytes([len(tables.sources)])]
    for source in tables.sources:
        parts += [bytes([source.frames, source.rows]), _u16(source.classes)]
    parts += [tables.row_classes.astype(np.uint8).tobytes(), _u16(tables.contexts)]
    parts += [len(tables.frequencies).to_bytes(2, "big"), _u16(tables.frequencies)]
    return b"".join(parts)


def unpack_tables(data: bytes) -> Tables:
    """The inverse of `pack_tables`; ValueError if `data` are not tables, or ones over a limit."""
    if len(data) > MAX_TABLES_BYTES:
        raise ValueError(f"tables of {len(data)} bytes are over the limit of {MAX_TABLES_BYTES}")
    return _Bytes(data).tables()


class _Bytes:
    """Takes numbers from the front; each is checked before anything of its size is made."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def tables(self) -> Tables:
        codewords = check_range("codewords", self._number(4), 2, MAX_CODEWORDS)
        count = check_range("sources", self._number(1), 1, MAX_SOURCES)
        sources = tuple(
            Source(self._number(1), self._number(1), self._table(">u2", codewords + 1)) for _ in range(count)
        )
        row_classes = self._table("u1", MAX_ROWS)
        counts = [int(each.max()) + 1 for each in (*(source.classes for source in sources), row_classes)]
        combinations = check_range("contexts", int(np.prod(counts, dtype=object)), 1, MAX_CONTEXTS)
        contexts = self._table(">u2", combinations)
        distributions = check_range("distributions", self._number(2), 1, MAX_DISTRIBUTIONS)
        size = check_range("frequencies", distributions * codewords, 2, MAX_FREQUENCIES)
        frequencies = self._table(">u2", size).reshape(distributions, codewords)
        if self._left:
            raise ValueError("tables have extra bytes after their frequencies")
        return Tables(sources, row_classes, contexts, frequencies)

    def _take(self, size: int) -> memoryview:
        if len(self._left) < size:
            raise ValueError("tables are cut off")
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _table(self, kind: str, count: int) -> NDArray[np.int32]:
        return np.frombuffer(self._take(np.dtype(kind).itemsize * count), kind).astype(np.int32)


def _u16(values: Integers) -> bytes:
    return values.astype(">u2").tobytes()


def _check_numbers(name: str, values: Integers, count: int, below: int) -> None:
    if values.shape != (count,) or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} are not {count} integers")
    if values.min() < 0 or values.max() >= below:
        raise ValueError(f"{name} {values.min()}..{values.max()} are outside 0..{below - 1}")
