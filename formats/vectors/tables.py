"""Tables for the golden files that are entropy coded, and indices as such tables expect them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mlcfile import Header, Source, Tables


def lottery(seed: int) -> Iterator[int]:
    """What a linear congruential generator gives, from 0 to 65535."""
    while True:
        seed = (seed * 1_103_515_245 + 12_345) % (1 << 31)
        yield seed >> 15


def made(codewords: int, distributions: int, *sources: tuple[int, int, int], row_classes: int = 1) -> Tables:
    """Tables with these sources (frames, rows, classes); each distribution favours some codewords."""
    numbers = lottery(codewords)
    combinations = int(np.prod([classes for *_, classes in sources])) * row_classes
    frequencies = [
        [1 + 4 * next(numbers) // codewords for _ in range(codewords)] for _ in range(distributions)
    ]
    for number, row in enumerate(frequencies):
        row[:] = [max(1, each >> 4 * ((place + number) % 7)) for place, each in enumerate(row)]
        total = sum(row)
        row[:] = [max(1, each * 60_000 // total) for each in row]
        row[number % codewords] += (1 << 16) - sum(row)
    return Tables(
        tuple(
            Source(frames, rows, np.array([(7 * place + 3) % classes for place in range(codewords + 1)]))
            for frames, rows, classes in sources
        ),
        np.array([row * row_classes // 32 for row in range(32)]),
        np.array([5 * place % distributions for place in range(combinations)]),
        np.array(frequencies),
    )


GRID = made(60, 9, (1, 0, 5), (0, 1, 4), row_classes=2)  # the patch before and the one below
LINE = made(1_000, 6, (1, 0, 3), (2, 0, 3))  # the two indices before
FAR = made(16, 12, (0, 2, 2), (1, 3, 3), (2, 0, 2), (8, 0, 4))  # as many sources as there may be
NAMED = {"grid": GRID, "line": LINE, "far": FAR}


def likely(of: Header, tables: Tables, frames: int, seed: int) -> list[Any]:
    """Indices (coded channel, frame, row) drawn as the tables say, so that they are worth coding."""
    numbers = lottery(seed)
    shape = (of.coded_channels, frames, of.layout.rows)
    indices = np.zeros(shape, int)
    for channel, frame, row in np.ndindex(shape):
        context = int(tables.weighted_classes[-1][row])
        for source, classes in zip(tables.sources, tables.weighted_classes, strict=False):
            inside = frame >= source.frames and row >= source.rows
            place = channel, frame - source.frames, row - source.rows
            context += int(classes[indices[place] if inside else tables.codewords])
        starts = tables.starts[tables.contexts[context]]
        indices[channel, frame, row] = np.searchsorted(starts, next(numbers), "right") - 1
    return indices.tolist()
