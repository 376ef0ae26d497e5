"""Tables for a terminal, a column a system or a row a metric of a comparison; and for a README, a row a system.

Each kind of metrics has one of its own: what models were optimised for, and what no loss knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from melcodec_cli.evaluate.comparison import Comparison
from melcodec_cli.evaluate.metrics import DIGITS
from melcodec_cli.evaluate.results import KINDS, Evaluation
from melcodec_cli.evaluate.statistics import Interval, spent, times
from melcodec_cli.report.console import line_width, show_line, show_table

# Where the output is no terminal, whose width would otherwise be taken for 80.
FILE_WIDTH = 160
COLUMN_GAP = 3


def print_systems(evaluation: Evaluation, file: TextIO) -> None:
    """Means and half the width of their 95 % intervals, of as many systems beside each other as there is room for."""
    width = line_width(file, FILE_WIDTH)
    for number, kind in enumerate(kinds_of(evaluation)):
        titles, systems = titles_of(evaluation, kind), list(rows_of(evaluation, kind))
        widest = max(len(cell) for system in systems for cell in system)
        abreast = max(1, (width - max(map(len, titles))) // (widest + COLUMN_GAP))
        if number:
            show_line("", file)
        show_line(KINDS[kind], file)
        for start in range(0, len(systems), abreast):
            heads, *rows = zip(titles, *systems[start : start + abreast], strict=True)
            show_line("", file)
            show_table(heads, [rows], file, width=width)


def print_markdown(evaluation: Evaluation, file: TextIO) -> None:
    for number, kind in enumerate(kinds_of(evaluation)):
        titles = titles_of(evaluation, kind)
        rules = ["---", *["--:"] * (len(titles) - 1)]
        if number:
            show_line("", file)
        for row in (titles, rules, *rows_of(evaluation, kind)):
            show_line(f"| {' | '.join(row)} |", file)


def kinds_of(evaluation: Evaluation) -> list[str]:
    """A table each; the first has rates and times, so it is there whatever was measured."""
    return [kind for kind in KINDS if kind == "likeness" or evaluation.of_kind(kind)]


def titles_of(evaluation: Evaluation, kind: str) -> list[str]:
    labels = [metric["label"] for metric in evaluation.of_kind(kind)]
    if kind != "likeness":
        return ["system", *labels]
    return ["system", "payload bit/s", "total bit/s", *labels, "delay ms", "encode ×", "decode ×"]


def rows_of(evaluation: Evaluation, kind: str) -> Iterator[list[str]]:
    for system in evaluation.systems:
        keys = [metric["key"] for metric in evaluation.of_kind(kind)]
        means = [with_margin(system.mean(key), DIGITS.get(key, 3)) for key in keys]
        if kind != "likeness":
            yield [system.name, *means]
            continue
        yield [
            system.name,
            with_margin(spent(system.mean("payload_bits_per_s")), 0),
            with_margin(spent(system.mean("total_bits_per_s")), 0),
            *means,
            f"{system.delay_ms:.1f}",
            with_margin(times(system.mean("encode_share_of_real_time")), 0),
            with_margin(times(system.mean("decode_share_of_real_time")), 0),
        ]


def print_comparison(comparison: Comparison, file: TextIO) -> None:
    """A row a metric: both means, and the mean difference with its 95 % interval."""
    titles = (
        "metric",
        f"A:\n{comparison.first}",
        f"B:\n{comparison.second}",
        "B - A",
        "95 % interval",
        "B is",
    )
    rows = []
    for each in comparison.differences:
        digits = 1 + (0 if each.key.endswith("bits_per_s") else DIGITS.get(each.key, 3))
        found = each.difference
        if found.mean is None or each.first is None or each.second is None:
            continue
        rows.append(
            [
                each.label,
                f"{each.first:.{digits}f}",
                f"{each.second:.{digits}f}",
                f"{found.mean:+.{digits}f}",
                f"{found.low:+.{digits}f} to {found.high:+.{digits}f}",
                each.verdict,
            ]
        )
    show_line(f"{comparison.clips} clips", file)
    show_table(titles, [rows], file, words=("B is",), width=line_width(file, FILE_WIDTH))


def with_margin(interval: Interval, digits: int) -> str:
    if interval.mean is None or interval.low is None or interval.high is None:
        return "-"
    return f"{interval.mean:.{digits}f} ±{(interval.high - interval.low) / 2:.{digits}f}"
