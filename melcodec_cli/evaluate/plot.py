"""Rate against quality: one point a system, as SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from melcodec_cli.evaluate.plot_labels import RADIUS, Box, Label, Mark, labels_of
from melcodec_cli.evaluate.results import ContenderResult

WIDE, MIDDLE, NARROW, HEIGHT = (
    1240,
    720,
    350,
    360,
)  # of a screen, a tablet and a phone: letters keep their size
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 30, 44
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


def points_of(systems: Sequence[ContenderResult], key: str) -> list[Point]:
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
    taken: list[Box] = []
    kinds = {}
    for point in points:
        y = axes.y(point.mean)
        mark = Mark(point.name, axes.x(point.rate) if point.rate else axes.end, y, across=not point.rate)
        kinds[mark] = point.kind
        if point.rate:
            x, bar = mark.x, (axes.y(point.high), axes.y(point.low))
            taken += [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), (x - 1, bar[0], x + 1, bar[1])]
            parts.append(
                f'<g class="{point.kind}"><title>{escape(point.name)}: {point.rate:.0f} bit/s, {point.mean:.3g}'
                f" ({point.low:.3g} to {point.high:.3g})</title>"
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bar[1]:.1f}" y2="{bar[0]:.1f}"/>'
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/></g>'
            )
        else:
            parts.append(f'<line class="reference" x1="{LEFT}" x2="{axes.end}" y1="{y:.1f}" y2="{y:.1f}"/>')
    area = (LEFT, TOP, axes.end + RIGHT, HEIGHT - BOTTOM)
    parts += [_drawn(label, kinds[label.mark]) for label in labels_of(list(kinds), taken, area)]
    return "".join([*parts, "</svg>"])


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
    step = round_step(axes.top - axes.bottom)
    for number in range(math.ceil(axes.bottom / step), math.floor(axes.top / step) + 1):
        y = axes.y(number * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{axes.end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number * step:g}</text>')
    middle = (LEFT + axes.end) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">bit/s</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 12}">{escape(label)}, {BETTER[better]}</text>')
    return parts


def round_step(span: float) -> float:
    """About five lines, at round numbers."""
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * 6 >= span)


def _drawn(label: Label, kind: str) -> str:
    leader = (
        '<line class="leader" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(*label.leader)
        if label.leader
        else ""
    )
    left, _, _, bottom = label.box
    return (
        f'{leader}<text class="{kind}" x="{left:.1f}" y="{bottom - 3:.1f}">{escape(label.mark.name)}</text>'
    )
