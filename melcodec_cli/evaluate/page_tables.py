"""Tables of the page: means of every system, and every clip, each kind of metrics in one of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from melcodec_cli.evaluate.metrics import DIGITS
from melcodec_cli.evaluate.results import KINDS, ClipResult, ContenderResult, Evaluation
from melcodec_cli.evaluate.statistics import Interval, spent, times
from melcodec_cli.evaluate.table import kinds_of


@dataclass(frozen=True)
class Column:
    title: str
    better: str
    digits: int
    found: Sequence[Interval]  # a row each


def means_tables(evaluation: Evaluation) -> str:
    parts = []
    for kind in kinds_of(evaluation):
        columns = list(_columns(evaluation, kind))
        best = [_best(column, evaluation.systems) for column in columns]
        rows = [
            f'<tr class="{system.kind}"><td class="name">{escape(system.name)}</td>'
            + "".join(
                _mean_cell(column.found[row], column.digits, row in those)
                for column, those in zip(columns, best, strict=True)
            )
            + "</tr>"
            for row, system in enumerate(evaluation.systems)
        ]
        titles = [("system", "lower"), *((column.title, column.better) for column in columns)]
        parts.append(f"<h3>{KINDS[kind]}</h3>\n{_framed(_table(titles, rows), f'Means: {KINDS[kind]}')}")
    return "\n".join(parts)


def _columns(evaluation: Evaluation, kind: str) -> Iterable[Column]:
    systems = evaluation.systems
    own = kind == "likeness"  # the table that has what a system costs, too
    if own:
        for key, title in (("payload_bits_per_s", "payload bit/s"), ("total_bits_per_s", "total bit/s")):
            yield Column(title, "lower", 0, [spent(system.mean(key)) for system in systems])
    for metric in evaluation.of_kind(kind):
        key = metric["key"]
        found = [system.mean(key) for system in systems]
        yield Column(metric["label"], metric["better"], DIGITS.get(key, 3), found)
    if own:
        delays = [Interval(system.delay_ms, None, None, len(system.clips)) for system in systems]
        yield Column("delay ms", "lower", 1, delays)
        for key, title in (
            ("encode_share_of_real_time", "encode ×"),
            ("decode_share_of_real_time", "decode ×"),
        ):
            yield Column(title, "higher", 0, [times(system.mean(key)) for system in systems])


def _best(column: Column, systems: Sequence[ContenderResult]) -> set[int]:
    """Rows of the best figure as it is printed, of several; references are none that could be used."""
    size = {"higher": lambda value: -value, "lower": float, "zero": abs}[column.better]
    ranks = {
        row: size(float(f"{found.mean:.{column.digits}f}"))
        for row, (system, found) in enumerate(zip(systems, column.found, strict=True))
        if found.mean is not None and system.kind != "reference"
    }
    return {row for row, rank in ranks.items() if rank == min(ranks.values())} if len(ranks) > 1 else set()


def _mean_cell(found: Interval, digits: int, best: bool) -> str:
    if found.low is None or found.high is None:
        return _cell(found.mean, digits, best=best)
    dash = "–" if found.low >= 0 else " to "
    interval = f"<small>{found.low:.{digits}f}{dash}{found.high:.{digits}f}</small>"
    return _cell(found.mean, digits, interval, best)


def clips_tables(evaluation: Evaluation) -> str:
    """Of which the page shows one at a time."""
    return "\n".join(
        f'<div data-figures="{kind}">{_framed(_clips_table(evaluation, kind), f"Every clip: {KINDS[kind]}")}</div>'
        for kind in kinds_of(evaluation)
    )


def figure_choices(evaluation: Evaluation) -> str:
    return "".join(f'<option value="{kind}">{KINDS[kind]}</option>' for kind in kinds_of(evaluation))


def _clips_table(evaluation: Evaluation, kind: str) -> str:
    metrics = evaluation.of_kind(kind)
    own = kind == "likeness"
    rows = []
    for system in evaluation.systems:
        for clip in system.clips:
            scores = [_cell(clip.scores.get(each["key"]), DIGITS.get(each["key"], 3)) for each in metrics]
            rates, speeds = _costs(clip) if own else ([], [])
            names = f'<td>{escape(clip.name)}</td><td class="name">{escape(system.name)}</td>'
            cells = [_cell(clip.duration_s, 2), *rates, *scores, *speeds]
            rows.append(f'<tr class="{system.kind}">{names}{"".join(cells)}</tr>')
    rates_titles = [("payload bit/s", "lower"), ("total bit/s", "lower")] if own else []
    times_titles = [("encode ×", "higher"), ("decode ×", "higher")] if own else []
    measured = [(each["label"], each["better"]) for each in metrics]
    names_titles = [("clip", "lower"), ("system", "lower"), ("s", "lower")]
    return _table([*names_titles, *rates_titles, *measured, *times_titles], rows)


def _costs(clip: ClipResult) -> tuple[list[str], list[str]]:
    """Cells of rates and of speeds."""
    payload, total, encode, decode = clip.costs.values()
    return (
        [_cell(payload or None, 0), _cell(total or None, 0)],
        [_cell(1 / encode if encode else None, 0), _cell(1 / decode if decode else None, 0)],
    )


def _framed(table: str, label: str) -> str:
    """The frame tells that the table goes on beside the screen, where it does."""
    return (
        f'<div class="frame"><div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">\n{table}\n'
        '</div><p class="hint beyond" hidden>More columns to the right: scroll or swipe →</p></div>'
    )


def _table(titles: Iterable[tuple[str, str]], rows: Iterable[str]) -> str:
    heads = "".join(
        f'<th scope="col" data-better="{better}"><button type="button">{_unbroken(title)}</button></th>'
        for title, better in titles
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table>"


def _unbroken(title: str) -> str:
    """Narrow by its several words, of which "log-mel" is one."""
    return escape(title).replace("-", "\u2011")


def _cell(value: float | None, digits: int, note: str = "", best: bool = False) -> str:
    if value is None:
        return '<td data-value="">–</td>'
    figure = f"{value:.{digits}f}"
    return f'<td data-value="{value:.6g}">{f"<b>{figure}</b>" if best else figure}{note}</td>'
