"""Entropy coding as SPEC.md tells it, step by step and from nothing else, decodes the golden files."""

from __future__ import annotations

import json
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import pytest
from mlcfile import Header, Reader

from .streams import GOOD, VECTORS

CODED = [path for path in GOOD if path.stem.startswith("entropy")]


class TablesAsTold:
    def __init__(self, data: bytes) -> None:
        self.id = sha256(data).digest()[:4]
        self.left = data
        self.codewords = self.number(4)
        self.sources = []
        for _ in range(self.number(1)):
            frames, rows = self.number(1), self.number(1)
            self.sources.append((frames, rows, [self.number(2) for _ in range(self.codewords + 1)]))
        self.row_classes = [self.number(1) for _ in range(32)]
        counts = [1 + max(classes) for *_, classes in self.sources] + [1 + max(self.row_classes)]
        self.contexts = [self.number(2) for _ in range(prod(counts))]
        self.frequencies = [[self.number(2) for _ in range(self.codewords)] for _ in range(self.number(2))]
        assert not self.left

    def number(self, size: int) -> int:
        value, self.left = int.from_bytes(self.left[:size], "big"), self.left[size:]
        return value


def decoded(tables: TablesAsTold, of: Header, body: bytes) -> list[Any]:
    """Indices [channel][frame][row] of a coded body."""
    frames, place = body[0] & 0x7F, 1  # these files have no more than 127
    if body[0] >= 0x80:
        frames, place = frames | body[1] << 7, 2
    frames = frames or of.layout.chunk_frames
    place += -(-of.chunk_globals_bits // 8)
    channels, rows = of.coded_channels, of.layout.rows
    lanes = channels * rows
    states = [int.from_bytes(body[place + 4 * lane :][:4], "big") for lane in range(lanes)]
    place += 4 * lanes
    words = iter([int.from_bytes(body[at : at + 2], "big") for at in range(place, len(body) - 1, 2)])
    indices: Any = [[[None] * rows for _ in range(frames)] for _ in range(channels)]
    for step in range(frames + rows - 1):
        for lane in range(lanes):
            row, channel = divmod(lane, channels)
            frame = step - row
            if not 0 <= frame < frames:
                continue
            context = 0
            for before, below, classes in tables.sources:
                inside = frame >= before and row >= below
                there = indices[channel][frame - before][row - below] if inside else tables.codewords
                context = context * (1 + max(classes)) + classes[there]
            context = context * (1 + max(tables.row_classes)) + tables.row_classes[row]
            frequencies = tables.frequencies[tables.contexts[context]]
            slot, index, start = states[lane] % 65536, 0, 0
            while slot >= start + frequencies[index]:
                start += frequencies[index]
                index += 1
            indices[channel][frame][row] = index
            states[lane] = frequencies[index] * (states[lane] // 65536) + slot - start
            if states[lane] < 65536:
                states[lane] = states[lane] * 65536 + next(words)
    assert states == [65536] * lanes and next(words, None) is None
    return indices


@pytest.mark.parametrize("path", CODED, ids=lambda path: path.stem)
def test_a_golden_file_decodes_as_the_specification_tells(path: Path) -> None:
    told = json.loads(path.with_suffix(".json").read_text())["streams"][0]["blocks"]
    all_tables = {
        tables.id: tables for tables in map(TablesAsTold, map(Path.read_bytes, VECTORS.glob("tables/*")))
    }
    with path.open("rb") as file:
        reader = Reader(file)
        for block, expected in zip(reader.blocks(), told, strict=True):
            if expected.get("entropy_coded"):
                tables = all_tables[reader.header.tables_id or b""]
                assert block.body[-1] == 0
                assert decoded(tables, reader.header, block.body) == expected["indices"]
