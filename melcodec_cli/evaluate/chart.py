"""Quality against bit rate as an SVG file of its own, for a README or a paper: the page's plots in a row."""

from __future__ import annotations

from collections.abc import Sequence

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.plot import HEIGHT, points_of, rate_quality_svg
from melcodec_cli.evaluate.results import Evaluation

PANEL = 520  # wide enough for ten labels
ABREAST = 2
EDGE = 8  # room for the second half of the last label of an axis
# Fixed colours on paper of its own: an SVG that is shown as an image cannot ask its page.
STYLE = """
text { fill: #1d2127; }
.grid { stroke: #d4d9df; }
.reference { stroke: #5c6570; stroke-dasharray: 6 4; }
text.reference { fill: #5c6570; stroke: none; }
.peer { stroke: #1f5fa8; fill: #1f5fa8; }
.melcodec { stroke: #b3261e; fill: #b3261e; }
text.peer, text.melcodec { stroke: none; }
text.melcodec { font-weight: 600; }
.leader { stroke: #5c6570; }
.peer line, .melcodec line { stroke-width: 2; opacity: .55; }
"""


def check_keys(keys: Sequence[str], known: Sequence[str]) -> None:
    for key in keys:
        if key not in known:
            raise UsageProblem(f"--plot-metrics: {key!r} is not measured; there are {', '.join(known)}")


def chart_svg(evaluation: Evaluation, keys: Sequence[str]) -> str:
    """A panel for each of these metrics."""
    known = {metric["key"]: metric for metric in evaluation.metrics}
    check_keys(keys, list(known))
    panels = [
        rate_quality_svg(points_of(evaluation.systems, key), known[key]["label"], known[key]["better"], PANEL)
        for key in keys
    ]
    if not all(panels):
        raise UsageProblem("there is nothing to plot: no system has a bit rate")
    width = PANEL * min(ABREAST, len(panels)) + EDGE
    height = HEIGHT * -(-len(panels) // ABREAST)
    placed = [
        f'<g transform="translate({PANEL * (place % ABREAST)} {HEIGHT * (place // ABREAST)})">'
        f'{panel.replace("<svg ", f"""<svg overflow="visible" width="{PANEL}" height="{HEIGHT}" """, 1)}</g>'
        for place, panel in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12"><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(placed) + "\n</svg>\n"
    )
