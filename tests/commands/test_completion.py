"""The scripts that shells evaluate, and the answers they get."""

import os
import shutil
import subprocess
import sys

import click
import pytest

from melcodec_cli.commands.evaluate import evaluate
from melcodec_cli.commands.options import complete_preset

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "melcodec_cli"]


def script_for(shell: str) -> str:
    return subprocess.run([*PROGRAM, "completion", shell], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_melcodec_for_answers(shell: str) -> None:
    assert f"_MELCODEC_COMPLETE={shell}_complete" in script_for(shell)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_accepts_its_script() -> None:
    script = script_for("bash") + "\ncomplete -p melcodec"
    result = subprocess.run(["bash", "--norc", "-ec", script], capture_output=True, text=True, check=True)
    assert "_melcodec_completion" in result.stdout


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("melcodec comp", "compress"),
        ("melcodec completion ", "zsh"),
        ("melcodec info --js", "--json"),
        ("melcodec models path speech-", "speech-16k"),
        ("melcodec compress --profile a", "auto"),
        ("melcodec decompress --bundle sp", "speech-16k"),
        ("melcodec evaluate --bundle sp", "speech-16k"),
        ("melcodec evaluate --against op", "opus"),
        ("melcodec evaluate --against opus,s", "opus,speex"),
        ("melcodec train all --preset ti", "tiny"),
        ("melcodec bundle pack --preset speech-48", "speech-48k"),
    ],
)
def test_words_are_completed(words: str, answer: str) -> None:
    environment = os.environ | {
        "_MELCODEC_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    result = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True, check=True)
    assert f"plain,{answer}" in result.stdout.splitlines()


@pytest.mark.parametrize(
    "words",
    ["melcodec train all --preset mine.t", "melcodec bench --bundle ./m", "melcodec evaluate --bundle x"],
)
def test_what_may_be_a_file_is_left_to_the_shell(words: str) -> None:
    environment = os.environ | {
        "_MELCODEC_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    result = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [f"file,{words.split()[-1]}"]


def test_all_presets_and_peers_are_offered() -> None:
    from melcodec_cli.evaluate.peers import FAMILIES
    from melcodec_cli.train.presets import preset_names

    context = click.Context(click.Command("x"))
    option = click.Option(["--x"])
    assert [item.value for item in complete_preset(context, option, "")] == preset_names()
    against = next(param for param in evaluate.params if param.name == "against")
    assert {item.value for item in against.shell_complete(context, "")} == set(FAMILIES)


def test_an_unknown_shell_is_a_usage_error_that_names_the_known_ones() -> None:
    result = subprocess.run([*PROGRAM, "completion", "tcsh"], capture_output=True, text=True, check=False)
    assert result.returncode == 2 and result.stdout == ""
    assert "'bash', 'zsh', 'fish'" in result.stderr
