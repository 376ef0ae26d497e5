"""The manual pages say what the program does: every option, exit code and variable, in both directions."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from melcodec_cli import cli
from melcodec_cli.commands.train import train
from melcodec_cli.errors import ExitCode
from melcodec_cli.models.installed import EARLIER_FOLDER, read_bundle_info
from melcodec_cli.systems.registry import system_of
from melcodec_cli.train.presets import preset_names, preset_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parents[1]
PAGES = sorted((PROJECT / "man").glob("*.[0-9]"))


def plain(source: str) -> str:
    """Text of a piece of the manual, without font changes and escapes."""
    source = re.sub(r"\\f[BIRP]", "", source)
    source = re.sub(r"^\.(B|I|BR|RB|BI|IB|IR|RI) ", "", source, flags=re.MULTILINE)
    return source.replace(r"\-", "-").replace(r"\&", "").replace('"', "").replace(r"\(aq", "'")


def sections(source: str, macro: str) -> dict[str, str]:
    """Title -> text of the parts that `macro` (.SH or .SS) heads."""
    parts = re.split(rf"^\.{macro} (.+)$", source, flags=re.MULTILINE)
    return {plain(title): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def entries(source: str) -> dict[str, str]:
    """Heading -> text of each tagged paragraph."""
    parts = re.split(r"^\.TP\n(.+)\n", source, flags=re.MULTILINE)
    return {plain(heading): plain(body) for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def option_names(heading: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", heading))


# By page and title.
SECTIONS = {path.name: sections(path.read_text(), "SH") for path in PAGES}
MAIN = SECTIONS["melcodec.1"]
BUNDLES = sorted((PROJECT / "melcodec_cli" / "bundles").rglob("*.safetensors"))
# Commands whose options are the same share a part, "train coder, train pitch",
# and one that has some more of its own has another part for these.
DESCRIBED: dict[str, str] = defaultdict(str)
for _page in SECTIONS.values():
    for _title, _body in sections(_page.get("COMMANDS", ""), "SS").items():
        for _name in _title.split(", "):
            DESCRIBED[_name] += _body


PROFILES = [tomllib.loads(preset_text(name))["profile"] for name in preset_names()]
STAGES = sorted({stage.name for profile in PROFILES for stage in system_of(profile).stages(profile)})


def commands_below(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name; groups come before what is in them, and stages are commands of train."""
    context = click.Context(group)
    for name in [*group.list_commands(context), *(STAGES if group is train else [])]:
        command = group.get_command(context, name)
        assert command is not None
        yield prefix + name, command
        if isinstance(command, click.Group):
            yield from commands_below(command, f"{prefix}{name} ")


ALL = dict(commands_below(cli.program))
COMMANDS = [name for name, command in ALL.items() if not isinstance(command, click.Group)]


def options_of(name: str) -> dict[frozenset[str], click.Option]:
    options = [parameter for parameter in ALL[name].params if isinstance(parameter, click.Option)]
    return {frozenset([*option.opts, *option.secondary_opts]): option for option in options}


def defaults() -> Iterator[tuple[str, frozenset[str], str]]:
    """(command, names of an option, what must be told of its default), as its help shows it or click knows it."""
    for name in COMMANDS:
        for names, option in options_of(name).items():
            in_words = re.search(r"\[default: (.*)\]", option.help or "")
            known = option.default
            if in_words:  # the words may differ, the numbers not
                yield name, names, " ".join(re.findall(r"\d+(?:\.\d+)?", in_words[1]))
            elif not option.is_flag and isinstance(known, str | int | float) and known != "":
                yield name, names, str(known)


DEFAULTS = list(defaults())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_page_begins_and_ends_as_pages_do(path: Path) -> None:
    titles = list(SECTIONS[path.name])
    assert titles[0] == "NAME" and "DESCRIPTION" in titles and titles[-1] == "SEE ALSO"
    name, dash, _ = plain(SECTIONS[path.name]["NAME"]).strip().partition(" - ")
    assert (name, dash) == (path.stem, " - ")


def test_the_pages_name_each_other() -> None:
    for path in PAGES:
        named = set(re.findall(r"\b(m(?:elcodec|lc)[\w-]*) ?\((\d)\)", plain(path.read_text())))
        assert {f"{name}.{section}" for name, section in named} <= set(SECTIONS)
        assert (
            path.name == "melcodec.1" or plain(MAIN["SEE ALSO"]).count(f"{path.stem} ({path.suffix[1]})") == 1
        )


def test_every_command_is_in_the_manual_and_the_other_way_round() -> None:
    assert set(DESCRIBED) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_manual_and_the_other_way_round(name: str) -> None:
    described = {frozenset(option_names(heading)) for heading in entries(DESCRIBED[name])}
    assert described == set(options_of(name))


@pytest.mark.parametrize(
    ("name", "names", "value"), DEFAULTS, ids=[f"{name} {min(names)}" for name, names, _ in DEFAULTS]
)
def test_every_default_is_in_the_manual(name: str, names: frozenset[str], value: str) -> None:
    described = {frozenset(option_names(heading)): body for heading, body in entries(DESCRIBED[name]).items()}
    told = described[names].partition("Default:")[2]
    assert told and all(word in told for word in value.split()), (value, told)


@pytest.mark.parametrize("name", ALL)
def test_help_has_a_summary_examples_and_a_line_for_every_option(name: str) -> None:
    command = ALL[name]
    assert command.get_short_help_str()
    text = command.get_help(click.Context(command, info_name=name))
    assert re.search(rf"^  Examples:\n(    .*\n)*? *.*melcodec {name}", text, flags=re.MULTILINE)
    for names, option in options_of(name).items():
        assert option.help and not option.hidden, sorted(names)


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_what_is_told_of_a_model_is_what_its_file_says(path: Path) -> None:
    info = read_bundle_info(path)
    assert info.shape
    rates = info.shape.bits_per_s.values()
    bits_per_s = " to ".join(f"{each:.0f}" for each in sorted({min(rates), max(rates)}))
    told = entries(SECTIONS["melcodec-models.1"]["MODELS"])[info.name]
    if path.parent == EARLIER_FOLDER:  # of which only what differs needs to be told
        assert f"{bits_per_s} bit/s" in told and info.licence in told
        return
    assert f"{info.shape.rate_hz / 1000:g} kHz; {bits_per_s} bit/s of content" in told
    assert f"of {info.shape.chunk_frames / info.shape.frames_per_s:.2g} seconds" in told
    assert f"Licence: {info.licence}" in told
    readme = (PROJECT / "README.md").read_text()
    assert re.search(
        rf"^\| `{info.name}` \|.* {bits_per_s} .*{re.escape(info.licence)}", readme, re.MULTILINE
    )


def test_what_is_told_of_the_models_defaults_is_what_their_files_say() -> None:
    infos = {path.stem: read_bundle_info(path) for path in BUNDLES}
    shapes = {name: info.shape for name, info in infos.items() if info.shape}
    choices = {
        name: option.default
        for name, info in infos.items()
        for option in info.facts.options
        if option.name == "effort"
    }
    chunks_s = {name: shape.chunk_frames / shape.frames_per_s for name, shape in shapes.items()}
    described = {heading.split()[0]: body for heading, body in entries(DESCRIBED["compress"]).items()}
    for option, default in (("--effort", choices), ("--chunk-seconds", chunks_s)):
        assert f"{default['speech-16k']:g} in speech-16k" in described[option]
        assert f"{default['speech-48k']:.2g} in speech-48k" in described[option]
        assert default["speech-16k-strict"] == default["speech-16k"]


def test_every_exit_code_is_in_the_manual_and_the_other_way_round() -> None:
    assert {int(code) for code in entries(MAIN["EXIT STATUS"])} == set(map(int, ExitCode))


def test_every_variable_that_is_read_is_in_the_manual_and_the_other_way_round() -> None:
    source = "".join(path.read_text() for path in (PROJECT / "melcodec_cli").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\s*\"(\w+)\"", source))
    assert read >= {"MELCODEC_BUNDLES", "MELCODEC_DEBUG"}
    # Set by torchrun for the processes it starts, nothing for a user to set.
    assert set(entries(MAIN["ENVIRONMENT"])) == read - {
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
    }


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_groff_has_nothing_to_complain_about(path: Path) -> None:
    groff = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", str(path)]
    result = subprocess.run(groff, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
