"""The manual says what the program does: every option, exit code and variable, in both directions."""

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from melcodec_cli import cli
from melcodec_cli.commands.train import train
from melcodec_cli.errors import ExitCode
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.train.presets import read_preset

PROJECT = Path(__file__).parents[1]
MANUAL = (PROJECT / "man" / "melcodec.1").read_text()


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


SECTIONS = sections(MANUAL, "SH")
BUNDLES = sorted((PROJECT / "melcodec_cli" / "bundles").rglob("*.safetensors"))
LICENCES = (PROJECT / "README.md").read_text().partition("## Licence")[2]
# Commands whose options are the same share a part, "train coder, train pitch",
# and one that has some more of its own has another part for these.
DESCRIBED: dict[str, str] = defaultdict(str)
for _title, _body in sections(SECTIONS["COMMANDS"], "SS").items():
    for _name in _title.split(", "):
        DESCRIBED[_name] += _body


def commands_below(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name; groups come before what is in them, and stages are commands of train."""
    context = click.Context(group)
    stages = [stage.name for stage in read_preset("speech-16k").declared] if group is train else []
    for name in [*group.list_commands(context), *stages]:
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


def test_the_manual_has_the_sections_of_a_manual_in_order() -> None:
    assert list(SECTIONS) == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "COMMANDS", "MODELS", "BATCHES", "PIPES", "CLUSTERS",
        "EXIT STATUS", "ENVIRONMENT", "FILES", "LIMITS", "NOTES", "SEE ALSO",
    ]  # fmt: skip


def test_every_command_is_in_the_manual_and_the_other_way_round() -> None:
    assert set(DESCRIBED) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_manual_and_the_other_way_round(name: str) -> None:
    described = {frozenset(option_names(heading)) for heading in entries(DESCRIBED[name])}
    assert described == set(options_of(name))


@pytest.mark.parametrize("name", COMMANDS)
def test_defaults_are_in_the_manual(name: str) -> None:
    described = {frozenset(option_names(heading)): body for heading, body in entries(DESCRIBED[name]).items()}
    for names, option in options_of(name).items():
        default = option.default
        if option.is_flag or not isinstance(default, str | int | float) or default == "":
            continue
        assert re.search(rf"default:? [^.]*{re.escape(f'{default}')}", described[names], re.IGNORECASE), (
            sorted(names)
        )


@pytest.mark.parametrize("name", ALL)
def test_help_has_a_summary_examples_and_a_line_for_every_option(name: str) -> None:
    command = ALL[name]
    assert command.get_short_help_str()
    text = command.get_help(click.Context(command, info_name=name))
    assert re.search(rf"^  Examples:\n(    .*\n)*? *.*melcodec {name}", text, flags=re.MULTILINE)
    for names, option in options_of(name).items():
        assert option.help and not option.hidden, sorted(names)


@pytest.mark.parametrize("preset", ["speech-16k", "speech-48k"])
def test_whoever_first_hears_of_it_is_told_the_rates_of_both_profiles(preset: str) -> None:
    shape = read_preset(preset).shape
    rate_khz = shape.rate_hz / 1000
    (bits_per_s,) = shape.bits_per_s.values()
    readme, package = (PROJECT / "README.md").read_text(), (PROJECT / "pyproject.toml").read_text()
    (description,) = re.findall(r"^description = (.+)$", package, flags=re.MULTILINE)
    for text in (readme.split("\n\n")[1], description, cli.program.get_short_help_str(200)):
        assert re.search(rf"\b{bits_per_s:g}\b[^,]* at {rate_khz:g} kHz", text), text


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_what_is_told_of_a_model_is_what_its_file_says(path: Path) -> None:
    info = read_bundle_info(path)
    profile = Profile.from_dict(info.profile)
    bits_per_s = profile.tokens_per_second * profile.coder.index_bits
    chunk_s = f"{profile.chunk_tokens / profile.tokens_per_second:.2g}"
    told = entries(SECTIONS["MODELS"])[info.name]
    assert f"{profile.mel.rate_hz / 1000:g} kHz; {bits_per_s:g} bit/s of content" in told
    assert re.search(rf"\b{chunk_s} seconds", told)
    assert f"Licence: {info.licence}" in told
    assert re.search(rf"`{info.name}`[^.]* {re.escape(info.licence)}", LICENCES)


def test_what_is_told_of_the_models_defaults_is_what_their_files_say() -> None:
    profiles = [Profile.from_dict(read_bundle_info(path).profile) for path in BUNDLES]
    choices = {profile.name: profile.search.choices for profile in profiles}
    chunks_s = {profile.name: profile.chunk_tokens / profile.tokens_per_second for profile in profiles}
    described = {heading.split()[0]: body for heading, body in entries(DESCRIBED["compress"]).items()}
    helped = {option.opts[0]: option.help or "" for option in options_of("compress").values()}
    for option, default in (("--effort", choices), ("--chunk-seconds", chunks_s)):
        assert f"the model's, {default['speech-16k']:g} in speech-16k" in helped[option]
        assert re.search(rf"model's.*\b{default['speech-16k']:g}\b", described[option])
        assert f"{default['speech-48k']:.2g} in speech-48k" in described[option]
        assert default["speech-16k-strict"] == default["speech-16k"]


def test_every_exit_code_is_in_the_manual_and_the_other_way_round() -> None:
    assert {int(code) for code in entries(SECTIONS["EXIT STATUS"])} == set(map(int, ExitCode))


def test_every_variable_that_is_read_is_in_the_manual_and_the_other_way_round() -> None:
    source = "".join(path.read_text() for path in (PROJECT / "melcodec_cli").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\s*\"(\w+)\"", source))
    assert read >= {"MELCODEC_BUNDLES", "MELCODEC_DEBUG"}
    # Set by torchrun for the processes it starts, nothing for a user to set.
    assert set(entries(SECTIONS["ENVIRONMENT"])) == read - {
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
    }


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
@pytest.mark.parametrize("path", sorted((PROJECT / "man").iterdir()), ids=lambda path: path.name)
def test_groff_has_nothing_to_complain_about(path: Path) -> None:
    groff = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", str(path)]
    result = subprocess.run(groff, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
