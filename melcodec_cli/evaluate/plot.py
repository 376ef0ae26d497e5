"""Rate against quality: one point a system, as SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from melcodec_cli.evaluate.results import SystemResult

WIDE, NARROW, HEIGHT = 720, 350, 360  # of a screen and of a phone, where letters keep their size
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 30, 44
CHARACTER, LINE = 7.2, 15  # size of a label's letters
BETTER = {"higher": "higher is better", "lower": "lower is better", "zero": "the nearer to zero the better"}
RATES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


@dataclass(frozen=True)
class Point:
    name: str
    kind: str
    rate: float  # bit/s of the file's payload; 0 for a reference
    mean: float
    low: float
    high: float


def points_of(systems: Sequence[SystemResult], key: str) -> list[Point]:
    found = []
    for system in systems:
        interval = system.mean(key)
        if interval.mean is not None and interval.low is not None and interval.high is not None:
            rate = system.payload_bits_per_s
            found.append(Point(system.name, system.kind, rate, interval.mean, interval.low, interval.high))
    return found


def rate_quality_svg(points: Sequence[Point], label: str, better: str, width: float = WIDE) -> str:
    """Points with their 95 % intervals over a logarithmic rate; a reference is a line across."""
    rates = [point.rate for point in points if point.rate]
    if not rates:
        return ""
    axes = _Axes(
        width - RIGHT,
        math.log(min(rates) / 1.35),
        math.log(max(rates) * 1.35),
        *_padded(min(point.low for point in points), max(point.high for point in points)),
    )
    parts = [
        f'<svg viewBox="0 0 {width} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)} against bits per second, {BETTER[better]}">',
        *_grid(axes, label, better),
    ]
    taken: list[_Box] = []
    for point in points:
        y = axes.y(point.mean)
        if point.rate:
            x = axes.x(point.rate)
            taken += [(x - 6, y - 6, x + 6, y + 6), (x - 1, axes.y(point.high), x + 1, axes.y(point.low))]
            parts.append(
                f'<g class="{point.kind}"><title>{escape(point.name)}: {point.rate:.0f} bit/s, {point.mean:.3g}'
                f" ({point.low:.3g} to {point.high:.3g})</title>"
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{axes.y(point.low):.1f}" y2="{axes.y(point.high):.1f}"/>'
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/></g>'
            )
        else:
            parts.append(f'<line class="reference" x1="{LEFT}" x2="{axes.end}" y1="{y:.1f}" y2="{y:.1f}"/>')
    # References first: the others have more places to go to.
    parts += [_label(point, axes, taken) for point in sorted(points, key=lambda point: point.rate > 0)]
    return "".join([*parts, "</svg>"])


_Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class _Axes:
    end: float  # of the drawing, at the right
    left: float  # of the logarithm of the rate
    right: float
    bottom: float
    top: float

    def x(self, rate: float) -> float:
        return LEFT + (math.log(rate) - self.left) / (self.right - self.left) * (self.end - LEFT)

    def y(self, value: float) -> float:
        return TOP + (self.top - value) / (self.top - self.bottom) * (HEIGHT - TOP - BOTTOM)


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin


def _grid(axes: _Axes, label: str, better: str) -> list[str]:
    floor = HEIGHT - BOTTOM
    parts = []
    for rate in RATES:
        if axes.left <= math.log(rate) <= axes.right:
            x = axes.x(rate)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"/>')
            parts.append(f'<text x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{rate}</text>')
    step = _step(axes.top - axes.bottom)
    for number in range(math.ceil(axes.bottom / step), math.floor(axes.top / step) + 1):
        y = axes.y(number * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{axes.end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number * step:g}</text>')
    middle = (LEFT + axes.end) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">bit/s</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 12}">{escape(label)}, {BETTER[better]}</text>')
    return parts


def _step(span: float) -> float:
    """About five lines, at round numbers."""
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * 6 >= span)


def _label(point: Point, axes: _Axes, taken: list[_Box]) -> str:
    """Beside its point, where nothing else has been written; with a line to it from far away."""
    width, y = CHARACTER * len(point.name), axes.y(point.mean)
    if point.rate:
        x = axes.x(point.rate)
        places = [
            (x + 9 + across * (width + 18), y + down * LINE)
            for down in (0.3, 1.2, -0.6, 2.1, -1.5, 3.0, -2.4, 3.9, -3.3, 4.8, -4.2, 5.7, -5.1, 6.6, -6.0)
            for across in (0, -1, -0.5)
        ]
    else:
        x = axes.end
        places = [(axes.end - width - 4, y + down * LINE) for down in (-0.4, 1.0)]
    boxes = [(left, base - 11, left + width, base + 3) for left, base in places]
    inside = [
        box
        for box in boxes
        if box[0] >= LEFT and box[2] <= axes.end + RIGHT and box[1] >= TOP and box[3] <= HEIGHT - BOTTOM
    ] or boxes
    box = next((box for box in inside if not any(_overlap(box, other) for other in taken)), inside[0])
    taken.append(box)
    left, top, right, bottom = box
    edge = top + 3 if top > y else bottom
    leader = (
        f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{min(max(x, left), right):.1f}" y2="{edge:.1f}"/>'
        if point.rate and not top - LINE < y < bottom + LINE
        else ""
    )
    return (
        f'{leader}<text class="{point.kind}" x="{left:.1f}" y="{bottom - 3:.1f}">{escape(point.name)}</text>'
    )


def _overlap(first: _Box, second: _Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
