"""What a terminal and a README show."""

import io

import pytest

from melcodec_cli.evaluate.comparison import compare
from melcodec_cli.evaluate.results import ContenderResult, Evaluation
from melcodec_cli.evaluate.table import print_comparison, print_markdown, print_systems
from tests.evaluate.conftest import Make


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_shows_means_with_margins_rates_delay_and_speed(make: Make) -> None:
    file = io.StringIO()
    print_systems(make([1.0, 2.0], [1.0, 1.0]), file)
    rows = [line.split() for line in file.getvalue().splitlines()]
    for row in (
        ["payload", "bit/s", "250", "±0"],
        ["total", "bit/s", "600", "±0"],
        ["Good", "1.500", "±0.500"],
        ["Bad", "1.000", "±0.000"],
        ["delay", "ms", "0.0"],
        ["encode", "×", "100", "±0"],
        ["decode", "×", "50", "±0"],
    ):
        assert row in rows


def test_systems_that_find_no_room_beside_the_others_stand_below_them(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    evaluation = make([1.0, 2.0], [1.0, 1.0])
    first = evaluation.systems[0]
    evaluation.systems[:] = [
        ContenderResult(f"a system called {number}", first.kind, 0, first.clips) for number in range(6)
    ]
    file = Terminal()
    print_systems(evaluation, file)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(f"a system called {number}" in line for line in lines) for number in range(6))


def test_a_comparison_shows_both_means_their_difference_and_its_interval(make: Make) -> None:
    file = io.StringIO()
    (comparison,) = compare(make([1.0] * 6, [1.0] * 6), make([1.5] * 6, [1.0] * 6))
    print_comparison(comparison, file)
    rows = [line.split() for line in file.getvalue().splitlines()]
    assert ["Good", "1.0000", "1.5000", "+0.5000", "+0.5000", "to", "+0.5000", "better"] in rows
    assert ["total", "bit/s", "600.0", "600.0", "+0.0", "+0.0", "to", "+0.0", "unclear"] in rows


def test_names_are_not_taken_for_markup(make: Make) -> None:
    file = io.StringIO()
    print_systems(make([1.0], [1.0], "[red]model"), file)
    assert "[red]model" in file.getvalue()


def test_a_readme_gets_a_row_for_every_system(make: Make) -> None:
    file = io.StringIO()
    evaluation: Evaluation = make([1.0, None], [1.0, 1.0])
    print_markdown(evaluation, file)
    titles, _, row, _, judges, _, judged = (
        [cell.strip() for cell in line.split("|")] for line in file.getvalue().splitlines()
    )
    assert dict(zip(titles, row, strict=True))["Good"] == "1.000 ±0.000"
    assert dict(zip(judges, judged, strict=True))["Bad"] == "1.000 ±0.000"
