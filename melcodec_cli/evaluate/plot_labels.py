"""Where the names of a plot's points go: beside them, where nothing else is, or further off with a line to them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

CHARACTER, LINE = 7.2, 18  # size of a label's letters, and from one to the next below it
RADIUS, GAP = 6, 4  # of a point, and between a label and all else
ASIDE = RADIUS + GAP
MOST_LINES = 14  # that a label is above or below its point
FAULT = 1000.0  # pixels of a line that would be as bad as a label on something else

Box = tuple[float, float, float, float]  # left, top, right, bottom
Line = tuple[float, float, float, float]  # x and y of its beginning and of its end


@dataclass(frozen=True)
class Mark:
    """A point, or a line across where it ends at the right."""

    name: str
    x: float
    y: float
    across: bool = False

    @property
    def width(self) -> float:
        return CHARACTER * len(self.name)


@dataclass(frozen=True)
class Label:
    mark: Mark
    box: Box
    leader: Line | None  # where it is not beside its point
    badness: float


@dataclass
class _Drawn:
    """What no label may lie on, and of it what no line may go through."""

    taken: list[Box]
    written: list[Box] = field(default_factory=list)

    def add(self, label: Label) -> None:
        self.taken += [label.box, *_along(label.leader)]
        self.written.append(label.box)


def labels_of(marks: Sequence[Mark], taken: Sequence[Box], area: Box) -> list[Label]:
    """One each. Whose turn comes first finds more room, so other orders are tried where one does not do."""
    rightward = sorted(marks, key=lambda mark: mark.x)
    upward = sorted(marks, key=lambda mark: mark.y)
    tries: list[list[Label]] = []
    for order in (rightward, rightward[::-1], upward, upward[::-1]):
        order.sort(key=lambda mark: not mark.across)  # lines across have the least choice
        tries.append(_labels_in_turn(order, taken, area))
        if all(label.badness < FAULT for label in tries[-1]):
            break
    return min(tries, key=lambda labels: sum(label.badness for label in labels))


def _labels_in_turn(marks: Sequence[Mark], taken: Sequence[Box], area: Box) -> list[Label]:
    drawn = _Drawn(list(taken))
    labels = []
    for mark in marks:
        labels.append(_label(mark, drawn, area))
        drawn.add(labels[-1])
    return labels


def _label(mark: Mark, drawn: _Drawn, area: Box) -> Label:
    boxes = list(_places(mark))
    boxes = [box for box in boxes if _inside(box, area)] or boxes
    if not mark.across:
        boxes.sort(key=lambda box: _distance(mark, box))
    spare = None
    for box in boxes:
        if any(_near(box, other) for other in drawn.taken):
            continue
        label = Label(mark, box, _leader(mark, box), _distance(mark, box))
        if not _crosses(label.leader, drawn.written):
            return label
        spare = spare or Label(mark, box, label.leader, FAULT)
    return spare or Label(mark, boxes[0], _leader(mark, boxes[0]), 2 * FAULT)


def _places(mark: Mark) -> Iterator[Box]:
    if mark.across:
        places = [(mark.x - mark.width - GAP, mark.y + down * LINE) for down in (-0.4, 1.0)]
    else:
        places = [
            (mark.x + ASIDE + across * (mark.width + 2 * ASIDE), mark.y + 4 + down * LINE / 2)
            for down in sorted(
                range(-2 * MOST_LINES, 2 * MOST_LINES + 1), key=lambda down: (abs(down), -down)
            )
            for across in (0, -1, -0.5, 0.25, -0.25, -0.75, -1.25)
        ]
    for left, base in places:
        yield left, base - 11, left + mark.width, base + 3


def _inside(box: Box, area: Box) -> bool:
    return box[0] >= area[0] and box[1] >= area[1] and box[2] <= area[2] and box[3] <= area[3]


def _leader(mark: Mark, box: Box) -> Line | None:
    if mark.across or _distance(mark, box) < LINE:
        return None
    return mark.x, mark.y, *_nearest(mark, box)


def _distance(mark: Mark, box: Box) -> float:
    return math.dist((mark.x, mark.y), _nearest(mark, box))


def _nearest(mark: Mark, box: Box) -> tuple[float, float]:
    left, top, right, bottom = box
    return min(max(mark.x, left), right), min(max(mark.y, top + 3), bottom)


def _along(line: Line | None) -> list[Box]:
    """A line's way as small boxes, without where it leaves its point."""
    if line is None:
        return []
    x, y, to_x, to_y = line
    steps = [step / 48 for step in range(6, 48)]
    middles = [(x + step * (to_x - x), y + step * (to_y - y)) for step in steps]
    return [(across - 1, down - 1, across + 1, down + 1) for across, down in middles]


def _crosses(line: Line | None, written: Sequence[Box]) -> bool:
    return any(_near(box, other, 0) for box in _along(line) for other in written)


def _near(first: Box, second: Box, gap: float = GAP) -> bool:
    """Nearer to each other than people can tell apart at a glance."""
    return (
        first[0] < second[2] + gap
        and second[0] < first[2] + gap
        and first[1] < second[3] + gap
        and second[1] < first[3] + gap
    )
