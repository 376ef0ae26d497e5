"""Tables for a terminal: a row a system, or a row a metric of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from melcodec_cli.evaluate.comparison import Comparison
from melcodec_cli.evaluate.metrics import METRICS
from melcodec_cli.evaluate.results import Evaluation
from melcodec_cli.evaluate.statistics import Interval

# Wide enough for all columns where the output is no terminal, whose width would otherwise be taken for 80.
FILE_WIDTH = 160
DIGITS = {metric.key: metric.digits for metric in METRICS}


def print_systems(evaluation: Evaluation, file: TextIO) -> None:
    """Means, and below each half the width of its 95 % interval."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    first, *titles = titles_of(evaluation)
    table.add_column(first, no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", overflow="fold")
    for row in rows_of(evaluation, "\n"):
        table.add_row(*row)
    _print(table, file)


def print_markdown(evaluation: Evaluation, file: TextIO) -> None:
    titles = titles_of(evaluation)
    rules = ["---", *["--:"] * (len(titles) - 1)]
    for row in (titles, rules, *rows_of(evaluation, " ")):
        print("|", " | ".join(row), "|", file=file)


def titles_of(evaluation: Evaluation) -> list[str]:
    labels = [metric["label"] for metric in evaluation.metrics]
    return ["system", "bit/s", "in all", *labels, "code ×", "decode ×"]


def rows_of(evaluation: Evaluation, between: str) -> Iterator[list[str]]:
    """`between` a mean and its margin."""
    for system in evaluation.systems:
        yield [
            system.name,
            _bits(system.payload_bits_per_s),
            _bits(system.total_bits_per_s),
            *(with_margin(system.mean(key), DIGITS.get(key, 3), between) for key in evaluation.keys),
            _times(system.encode_share),
            _times(system.decode_share),
        ]


def print_comparison(comparison: Comparison, file: TextIO) -> None:
    """A row a metric: both means, and the mean difference with its 95 % interval."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"{comparison.clips} clips", title_justify="left")
    table.add_column("metric", no_wrap=True)
    for title in (f"A: {comparison.first}", f"B: {comparison.second}", "B - A", "95 % interval"):
        table.add_column(title, justify="right")
    table.add_column("B is")
    for each in comparison.differences:
        digits = DIGITS.get(each.key, 3) + 1
        found = each.difference
        if found.mean is None or each.first is None or each.second is None:
            continue
        table.add_row(
            each.label,
            f"{each.first:.{digits}f}",
            f"{each.second:.{digits}f}",
            f"{found.mean:+.{digits}f}",
            f"{found.low:+.{digits}f} to {found.high:+.{digits}f}",
            each.verdict,
        )
    _print(table, file)


def with_margin(interval: Interval, digits: int, between: str) -> str:
    if interval.mean is None or interval.low is None or interval.high is None:
        return "-"
    return f"{interval.mean:.{digits}f}{between}±{(interval.high - interval.low) / 2:.{digits}f}"


def _bits(bits_per_s: float) -> str:
    return f"{bits_per_s:.0f}" if bits_per_s else "-"


def _times(share: float) -> str:
    """Times faster than real time."""
    return f"{1 / share:.0f}" if share else "-"


def _print(table: Table, file: TextIO) -> None:
    console = Console(file=file, width=None if file.isatty() else FILE_WIDTH)
    console.print(table)
