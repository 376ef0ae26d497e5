"""Printed text cannot harm a terminal, and a long name does not break a table."""

import ast
import io
from pathlib import Path

import pytest
from rich.cells import cell_len

from melcodec_cli.cli import main
from melcodec_cli.report.console import ask, elided, say, show_fact, show_line, show_table
from melcodec_cli.report.report import Record, print_table
from tests.conftest import write_tiny_bundle

PACKAGE = Path(__file__).parents[2] / "melcodec_cli"
HOSTILE = "\x1b[31m[bold]x[/nope]\u202e:smile:"
SHOWN = "\\x1b[31m[bold]x[/nope]\\u202e:smile:"


def test_lines_facts_messages_and_questions_are_harmless(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("click.confirm", lambda question, err: asked.append(question))
    show_line(HOSTILE)
    show_fact("name", HOSTILE)
    say(HOSTILE)
    ask(HOSTILE)
    assert capsys.readouterr() == (f"{SHOWN}\n  name          {SHOWN}\n", f"melcodec: {SHOWN}\n")
    assert asked == [SHOWN]


def test_a_table_takes_nothing_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    file = io.StringIO()
    show_table(("[bold]name", "n"), [[(HOSTILE, "[red]1")]], file)
    assert SHOWN in file.getvalue() and "[red]1" in file.getvalue() and "[bold]name" in file.getvalue()


def test_a_strangers_profile_name_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("melcodec_cli.bench.stages.Benchmark.stages", lambda self, repeats: [])
    path = tmp_path / "odd.safetensors"
    write_tiny_bundle(path, HOSTILE)
    assert main(["bench", "--bundle", str(path), "--seconds", "1", "--repeat", "1"]) == 0
    assert capsys.readouterr().out.startswith(f"1 s with {SHOWN} on cpu")
    assert main(["bundle", "check", str(path)]) == 0
    assert SHOWN in capsys.readouterr().out


def test_nothing_is_printed_past_the_console() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        if name == "report/console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if call in ("print", "click.echo", "click.secho", "click.confirm") or any(
                module.split(".")[0] == "rich" for module in modules
            ):
                found.add(name)
    assert found == set()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "name", ["x" * 251, "deep/er/" * 500 + "talk.wav.mlc", "\u8a9e" * 80 + ".mlc"], ids=len
)
def test_a_long_name_loses_its_middle(monkeypatch: pytest.MonkeyPatch, name: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    file = io.StringIO()
    figures = {"duration_s": 3600.0, "mlc_bytes": 1_000_000, "payload_bits": 900_000, "elapsed_s": 100.0}
    records = [Record("a.wav", target, **figures) for target in (name, "short.mlc")]  # type: ignore[arg-type]
    print_table(records, True, file)
    lines = file.getvalue().splitlines()
    assert len(lines) <= 8 and all(cell_len(line) <= width for line in lines)
    assert name[:6] in file.getvalue() and "\u2026" in file.getvalue()
    assert name[-4:] in file.getvalue().replace("\n", "")


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abc\u2026fg"),
        ("abcdefg", 1, "\u2026"),
        ("\u8a9e\u8a9e\u8a9e\u8a9e", 6, "\u8a9e\u2026\u8a9e"),
        ("", 3, ""),
    ],
)
def test_the_middle_is_taken_out_by_what_a_terminal_shows(text: str, width: int, shown: str) -> None:
    assert elided(text, width) == shown
    assert cell_len(shown) <= max(width, 1)
