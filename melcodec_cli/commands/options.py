"""Options that several commands share, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

SYSTEMS = Path(__file__).parents[1] / "systems"
Command = TypeVar("Command", bound=Callable[..., Any])


class Seconds(click.ParamType):
    """A time in seconds, given as 12.5, 3:20 or 1:02:03.5."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        fields = value.split(":")
        try:
            numbers = [*map(int, fields[:-1]), float(fields[-1])]
        except ValueError:
            numbers = []
        if not 1 <= len(numbers) <= 3 or not all(0 <= number < float("inf") for number in numbers):
            self.fail(f"{value!r} is not a time: give seconds, m:ss or h:mm:ss", param, ctx)
        seconds = 0.0
        for number in numbers:
            seconds = 60 * seconds + number
        return seconds


class BitRate(click.ParamType):
    """Bits per second, such as 250, 1000, 1k or 7.5k."""

    name = "bit rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        number, factor = (value[:-1], 1000) if value[-1:] in "kK" and value else (value, 1)
        try:
            bits_per_s = float(number) * factor
        except ValueError:
            bits_per_s = 0.0
        if not 0 < bits_per_s < float("inf"):
            self.fail(f"{value!r} is not a bit rate: give bits per second, such as 1000 or 1k", param, ctx)
        return bits_per_s


def options(*parts: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Combine several click decorators into one, in the order of the help."""

    def decorate(command: Command) -> Command:
        for part in reversed(parts):
            command = part(command)
        return command

    return decorate


def complete_bundle(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete names of installed bundles."""
    from melcodec_cli.models.installed import installed_bundles

    return [bundle.name for bundle in installed_bundles() if bundle.name.startswith(incomplete)]


def complete_bundle_or_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete names of installed bundles, or files if no name matches."""
    return _or_file(complete_bundle(ctx, param, incomplete), incomplete)


def complete_preset(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of built-in presets, without torch, or files."""
    shipped = sorted(path.stem for path in SYSTEMS.glob("*/presets/*.toml"))
    return _or_file([name for name in shipped if name.startswith(incomplete)], incomplete)


def complete_listed(*words: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Make a completer for an option that takes some of these words, separated by commas."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        left = [word for word in words if word not in before.split(",")]
        return [f"{before}{comma}{word}" for word in left if word.startswith(last)]

    return complete


def complete_bundles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of installed bundles separated by commas, or a file."""
    names = complete_bundle(ctx, param, "")
    return _or_file(complete_listed(*names)(ctx, param, incomplete), incomplete)


def _or_file(names: list[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def complete_profile(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    auto = ["auto"] if "auto".startswith(incomplete) else []
    return auto + complete_bundle(ctx, param, incomplete)


input_options = options(
    click.option(
        "--files-from",
        metavar="LIST",
        help="Convert the files named in LIST, one per line or ended by NUL bytes.",
    ),
    click.option(
        "--include",
        multiple=True,
        metavar="GLOB",
        help="Convert only files whose name matches; may be given several times.",
    ),
    click.option(
        "--exclude", multiple=True, metavar="GLOB", help="Leave out files and folders whose name matches."
    ),
)

output_options = options(
    click.option("-o", "--output", metavar="FILE|DIR", help="Write to this file, or into this folder."),
    click.option(
        "-r", "--recursive", is_flag=True, help="Convert everything in folders; -o DIR mirrors their tree."
    ),
    click.option("-f", "--force", is_flag=True, help="Replace outputs that exist (never an input)."),
    click.option(
        "--skip-existing", is_flag=True, help="Leave out files whose output exists and is complete."
    ),
)

report_options = options(
    click.option("--dry-run", is_flag=True, help="Say what would be converted to what, and write nothing."),
    click.option(
        "--report", "report_file", metavar="FILE.jsonl", help="Write a line of JSON for every input."
    ),
    click.option("--json", "json_lines", is_flag=True, help="Print one JSON object per file."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but warnings and errors."),
    click.option("-v", "--verbose", is_flag=True, help="Say which model runs, where and how."),
)

engine_options = options(
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Who does the work: this process, or the workers of a Ray cluster.",
    ),
    click.option(
        "--ray-address",
        metavar="HOST:PORT",
        help="The Ray cluster to use.  [default: $RAY_ADDRESS, else this machine]",
    ),
)

licence_option = click.option(
    "--licence",
    metavar="NAME",
    help="Licence of the weights.  [default: what that of the speech in --data requires]",
)

DEFAULT_PRESET = "speech-16k"

change_option = click.option(
    "--set",
    "changes",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change a setting of the preset, such as stages.vocoder.run.batch=64; may be given several times.",
)

model_options = options(
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        default="auto",
        show_default=True,
        help="Where the model runs.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="CPU threads to use.  [default: all cores]",
    ),
)
