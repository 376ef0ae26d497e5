"""Codes the indices of a chunk with rANS: whole numbers only, so that every machine decodes the same indices.

Every row of every coded channel is a *lane* with a state of its own, and all lanes share one stream of 16-bit words. In
step d, row r has its frame d - r: so the frames before and the rows below are known, and all lanes of a step are
decoded together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import CorruptError
from .tables import PROBABILITY_BITS, TOTAL, Tables

LOWEST_STATE = (
    1 << 16
)  # a state below takes up a word; also every state's value before the first index is coded
WORD_BITS = 16
FEW_LANES = 4  # which a plain loop decodes faster than numpy's calls, a dozen a step

Indices = NDArray[np.uint16]


class Stream(NamedTuple):
    """The indices of a chunk, coded."""

    states: NDArray[
        np.int64
    ]  # (lane,), with which a decoder begins; lane = row x coded channels + coded channel
    words: NDArray[np.int64]


class Steps:
    """The order in which indices are coded."""

    def __init__(self, tables: Tables, channels: int, frames: int, rows: int) -> None:
        self.tables = tables
        self.channels, self.frames, self.rows = channels, frames, rows
        self.lanes = rows * channels
        self.count = frames + rows - 1
        # Room for neighbours outside the chunk.
        self.before = max(source.frames + source.rows for source in tables.sources)
        self.below = max(source.rows for source in tables.sources) * channels

    def grid(self, dtype: type[np.integer] = np.int64) -> NDArray[np.int64]:
        """Indices by step and lane (both with room before them), all still "outside the chunk"."""
        shape = (self.before + self.count, self.below + self.lanes)
        return np.full(shape, self.tables.codewords, dtype)

    def stretches(self) -> Iterator[tuple[slice, slice]]:
        """Runs of steps that have the same lanes, as places in the grid."""
        edges = sorted({*range(self.rows + 1), *range(self.frames, self.count + 1)})
        edges = [edge for edge in edges if edge <= self.count]
        for first, last in zip(edges, edges[1:], strict=False):
            low, high = max(0, first - self.frames + 1), min(self.rows, first + 1)
            lanes = slice(self.below + low * self.channels, self.below + high * self.channels)
            yield slice(self.before + first, self.before + last), lanes

    def shifted(self, steps: slice, lanes: slice) -> Iterator[tuple[slice, slice]]:
        """Where each source of these places lies."""
        for source in self.tables.sources:
            back, down = source.frames + source.rows, source.rows * self.channels
            yield slice(steps.start - back, steps.stop - back), slice(lanes.start - down, lanes.stop - down)

    def row_terms(self) -> NDArray[np.int64]:
        """What the row adds to the context of each lane, with room before."""
        terms = np.repeat(self.tables.weighted_classes[-1][: self.rows], self.channels)
        return np.concatenate([np.zeros(self.below, np.int64), terms])

    def skew(self, indices: Indices) -> NDArray[np.int64]:
        """The grid of indices (coded channel, frame, row)."""
        grid = self.grid()
        inner = grid[self.before :, self.below :]
        for row in range(self.rows):
            lanes = slice(row * self.channels, (row + 1) * self.channels)
            inner[row : row + self.frames, lanes] = indices[:, :, row].T
        return grid

    def straighten(self, grid: NDArray[np.int64]) -> Indices:
        """The inverse of `skew`."""
        inner = grid[self.before :, self.below :]
        indices = np.empty((self.channels, self.frames, self.rows), np.uint16)
        for row in range(self.rows):
            lanes = slice(row * self.channels, (row + 1) * self.channels)
            indices[:, :, row] = inner[row : row + self.frames, lanes].T
        return indices


def encode(tables: Tables, indices: Indices) -> Stream | None:
    """Codes indices (coded channel, frame, row); None if one of them is not in the tables."""
    if indices.max() >= tables.codewords:
        return None
    channels, frames, rows = indices.shape
    steps = Steps(tables, channels, frames, rows)
    grid, terms = steps.skew(indices), steps.row_terms()
    states, words = [LOWEST_STATE] * steps.lanes, []
    for places, lanes in reversed(list(steps.stretches())):  # a decoder undoes the last first
        contexts = terms[lanes]
        for (back, down), classes in zip(steps.shifted(places, lanes), tables.weighted_classes, strict=False):
            contexts = contexts + classes[grid[back, down]]
        distributions, symbols = tables.contexts[contexts], grid[places, lanes]
        starts = tables.starts[distributions, symbols]
        frequencies = tables.frequencies[distributions, symbols]
        first, width = lanes.start - steps.below, lanes.stop - lanes.start
        lane = first + width
        for frequency, start in zip(
            frequencies.reshape(-1)[::-1].tolist(), starts.reshape(-1)[::-1].tolist(), strict=True
        ):
            lane = lane - 1 if lane > first else first + width - 1
            state = states[lane]
            if state >= frequency << WORD_BITS:
                words.append(state & (1 << WORD_BITS) - 1)
                state >>= WORD_BITS
            states[lane] = (state // frequency << PROBABILITY_BITS) + state % frequency + start
    return Stream(np.array(states, np.int64), np.array(words[::-1], np.int64))


def decode(tables: Tables, stream: Stream, channels: int, frames: int, rows: int) -> Indices:
    """The inverse of `encode`. Refuses a stream that does not end with its last index."""
    if stream.states.min() < LOWEST_STATE:
        raise CorruptError("an entropy-coded chunk begins with an impossible state")
    steps = Steps(tables, channels, frames, rows)
    few = steps.lanes <= FEW_LANES
    grid, states, used = (_decode_one_by_one if few else _decode_steps)(steps, stream)
    if used != len(stream.words) or any(state != LOWEST_STATE for state in states):
        raise CorruptError("an entropy-coded chunk does not end with its last index")
    return steps.straighten(grid)


def _decode_one_by_one(steps: Steps, stream: Stream) -> tuple[NDArray[np.int64], list[int], int]:
    """Returns the grid, the states at the end, and how many words were used."""
    tables = steps.tables
    *class_arrays, _ = tables.weighted_classes
    classes = [each.tolist() for each in class_arrays]
    width = steps.below + steps.lanes
    offsets = [
        (source.frames + source.rows) * width + source.rows * steps.channels for source in tables.sources
    ]
    neighbours = list(zip(classes, offsets, strict=True))
    distributions, terms = tables.contexts.tolist(), steps.row_terms().tolist()
    starts = tables.starts_as_lists
    symbols: list[int] = steps.grid().reshape(-1).tolist()
    states, words, used = stream.states.tolist(), stream.words.tolist(), 0
    mask = TOTAL - 1
    try:
        for places, lanes in steps.stretches():
            for step in range(places.start, places.stop):
                for column in range(lanes.start, lanes.stop):
                    place, context = step * width + column, terms[column]
                    for class_of, offset in neighbours:
                        context += class_of[symbols[place - offset]]
                    distribution = distributions[context]
                    if (begins := starts.get(distribution)) is None:
                        begins = starts[distribution] = tables.starts[distribution].tolist()
                    lane = column - steps.below
                    state = states[lane]
                    slot = state & mask
                    symbol = bisect_right(begins, slot) - 1
                    begin = begins[symbol]
                    state = (begins[symbol + 1] - begin) * (state >> PROBABILITY_BITS) + slot - begin
                    if state < LOWEST_STATE:
                        state = state << WORD_BITS | words[used]
                        used += 1
                    states[lane], symbols[place] = state, symbol
    except IndexError:  # only `words` can end too early
        raise CorruptError("an entropy-coded chunk ends before its last index") from None
    return np.array(symbols).reshape(-1, width), states, used


def _decode_steps(steps: Steps, stream: Stream) -> tuple[NDArray[np.int64], list[int], int]:
    """The same, all lanes of a step together; written for few calls, as each costs as much as its twenty lanes.

    Constants are arrays and all numbers of one type, because numpy takes twice as long to convert them.
    """
    tables = steps.tables
    *classes, _ = tables.weighted_classes
    terms = steps.row_terms()
    has_rows = bool(terms.any())
    first_slot = tables.contexts.astype(np.int64) * TOTAL
    first_entry = tables.contexts.astype(np.int64) * tables.codewords
    codeword_of_slot = tables.codeword_of_slot
    ranges = tables.ranges
    grid = steps.grid()
    terms_of = [np.full(grid.shape, each[-1]) for each in classes]  # what each place adds as a source
    all_states, used = stream.states.astype("<i8"), 0
    halves = all_states.view("<u2")
    words = np.concatenate([stream.words, np.zeros(steps.lanes, np.int64)]).astype("<u2")
    for places, lanes in steps.stretches():
        width = lanes.stop - lanes.start
        own = slice(lanes.start - steps.below, lanes.stop - steps.below)
        states, low_halves, high_halves = all_states[own], halves[0::4][own], halves[1::4][own]
        mask, shift = np.full(width, TOTAL - 1), np.full(width, PROBABILITY_BITS)
        lowest, row_terms = np.full(width, LOWEST_STATE), terms[lanes]
        slots, high, entries, context = (np.empty(width, np.int64) for _ in range(4))
        found = np.empty((width, 2), np.int64)
        starts, frequencies = found.T
        sources = [
            list(each[back, down])
            for each, (back, down) in zip(terms_of, steps.shifted(places, lanes), strict=True)
        ]
        targets = [list(each[places, lanes]) for each in terms_of]
        for symbols, into, neighbours in zip(
            grid[places, lanes], zip(*targets, strict=True), zip(*sources, strict=True), strict=True
        ):
            contexts = neighbours[0]
            for term in neighbours[1:]:
                contexts = np.add(contexts, term, out=context)
            if has_rows:
                contexts = np.add(contexts, row_terms, out=context)
            np.bitwise_and(states, mask, out=slots)
            np.right_shift(states, shift, out=high)
            symbols[:] = codeword_of_slot[np.add(first_slot[contexts], slots, out=entries)]
            np.add(first_entry[contexts], symbols, out=entries)
            ranges.take(entries, 0, out=found, mode="wrap")  # without "wrap" it would buffer
            np.multiply(high, frequencies, out=high)
            np.add(high, slots, out=high)
            np.subtract(high, starts, out=states)
            for class_of, target in zip(classes, into, strict=True):
                class_of.take(symbols, out=target, mode="wrap")
            hungry = np.less(states, lowest).nonzero()[0]
            if count := hungry.size:
                high_halves[hungry] = low_halves[hungry]
                low_halves[hungry] = words[used : used + count]
                used += count
                if used > len(stream.words):
                    raise CorruptError("an entropy-coded chunk ends before its last index")
    return grid, all_states.tolist(), used
