"""Prints lines, tables and questions, with harmful characters escaped.

Names of files, models and profiles may come from untrusted sources. Nothing printed here can move the cursor, recolour
the terminal or be taken for markup. Only our own texts and JSON, which escapes control characters itself, are printed
unchanged.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from melcodec_cli.report.printable import printable

if TYPE_CHECKING:
    from rich.console import JustifyMethod

ROW_LINES = 2  # the most that a table cell takes


def show_line(line: object, file: TextIO | None = None) -> None:
    """Print a line of the result on standard output, or in a file."""
    click.echo(printable(line), file=file)


def show_fact(label: str, value: object) -> None:
    """Print a fact with its label, below a title."""
    show_line(f"  {label:<14}{value}")


def show_json(document: Mapping[str, Any], indent: int | None = None) -> None:
    click.echo(json.dumps(document, indent=indent))


def show_exact_path(path: Path) -> None:
    """Print a path for other programs, byte for byte, whatever its encoding."""
    click.echo(os.fsencode(path) + b"\n", nl=False)


def show_document(text: str, err: bool = False) -> None:
    """Print our own text unchanged: a help page, a shell script or JSON."""
    click.echo(text, err=err)


def say(line: object, bar: Any = None) -> None:
    """Print a message on standard error, above tqdm's bar if one is shown."""
    text = f"melcodec: {printable(line)}"
    if bar is None:
        click.echo(text, err=True)
    else:
        bar.write(text, file=sys.stderr)


def say_plainly(line: object) -> None:
    """Print a line on standard error without the program's name, such as the totals below a table."""
    click.echo(printable(line), err=True)


def ask(question: str) -> bool:
    return click.confirm(printable(question), err=True)


def show_table(
    titles: Sequence[str],
    sections: Sequence[Sequence[Sequence[object]]],
    file: TextIO,
    words: Collection[str] = (),
    width: int | None = None,
) -> None:
    """Print rows of a name and numbers, with a line between sections. Names that are too long are cut in the middle.

    words: titles of columns that hold no numbers. width: that of a line; None: the terminal's.
    """
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=file, highlight=False, width=width)
    rows = [[[printable(cell) for cell in row] for row in section] for section in sections]
    heads = [max(title.split("\n"), key=cell_len) for title in titles[1:]]
    columns = zip(heads, *(row[1:] for section in rows for row in section), strict=True)
    gap = 3  # a space on either side, and one in place of the line that this box omits
    room = console.width - sum(gap + max(map(cell_len, column)) for column in columns)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, title in enumerate(titles):
        if place:
            justify: JustifyMethod = "left" if title in words else "right"
            table.add_column(Text(title), justify=justify, no_wrap=True)
        else:
            table.add_column(Text(title), overflow="fold")
    for section in rows:
        for name, *cells in section:
            table.add_row(Text(elided(name, ROW_LINES * max(room, 10))), *map(Text, cells))
        table.add_section()
    console.print(table)


def line_width(file: TextIO, otherwise: int) -> int:
    """The width of the terminal that a file is, in columns."""
    from rich.console import Console

    return Console(file=file).width if file.isatty() else otherwise


def elided(text: str, width: int) -> str:
    """Shorten text to this many terminal columns by cutting out the middle."""
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    head, tail = "", ""
    while True:
        longer = (text[: len(head) + 1], tail) if len(head) <= len(tail) else (head, text[-len(tail) - 1 :])
        if cell_len(longer[0]) + 1 + cell_len(longer[1]) > width:
            return f"{head}\u2026{tail}"
        head, tail = longer
