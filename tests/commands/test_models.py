"""models lists, adds and removes models, and prints their paths."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.models.installed import read_bundle_info
from tests.models.test_installed import write_bundle


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert main(["models", "list", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def table(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The non-empty cells, headings first: one line per model, however narrow the terminal."""
    assert main(["models"]) == 0
    head, rule, *lines = capsys.readouterr().out.splitlines()
    assert not rule.strip("─")
    return [re.split(r"  +", line.strip()) for line in (head, *lines)]


def test_a_model_is_added_listed_with_its_licence_and_removed(
    user_bundles: Path, tiny_48k_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = read_bundle_info(tiny_48k_bundle)
    ids = f"{info.bitstream_id}/{info.renderer_id}"
    place = user_bundles / "speech-48k.safetensors"
    assert main(["models", "add", str(tiny_48k_bundle)]) == 0
    assert capsys.readouterr() == ("", f"melcodec: added speech-48k, ids {ids}, CC BY-NC-SA 4.0: {place}\n")
    size = f"{place.stat().st_size / 1e6:.1f} MB"
    assert table(capsys) == [
        ["name", "system", "rate", "bit/s", "latency", "for", "licence", "size", "ids"],
        ["speech-16k", "fmel", "16 kHz", "250", "2.6 s", "speech", "CC0-1.0", ANY, ANY],
        ["speech-48k", "fmel", "48 kHz", "750", "1.9 s", "speech", "CC BY-NC-SA 4.0", size, ids],
    ]
    assert main(["models", "remove", "speech-48k"]) == 0
    assert capsys.readouterr() == ("", f"melcodec: removed speech-48k, ids {ids}: {place}\n")
    assert [model["name"] for model in listed(capsys)] == ["speech-16k"]


def test_json_has_a_line_a_model_with_stable_keys(
    user_bundles: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = read_bundle_info(tiny_bundle)
    assert listed(capsys) == [
        {
            "name": "speech-16k",
            "profile": "speech-16k",
            "system": "fmel",
            "rate_hz": 16000,
            "bits_per_s": [250.0],
            "latency_s": 1.6 + 0.96,
            "live_delay_s": None,
            "suits": ["speech"],
            "licence": "CC0-1.0",
            "size_bytes": tiny_bundle.stat().st_size,
            "bitstream_id": info.bitstream_id,
            "renderer_id": info.renderer_id,
            "path": str(tiny_bundle),
            "built_in": True,
        }
    ]


@pytest.mark.parametrize(
    "training",
    [
        '{"stages": 5}',
        '{"stages": {"coder": []}}',
        '{"stages": {"coder": {"dev_l1": "\\u001b[2J"}}}',
        '{"stages": {"coder": {"dev_l1": NaN}}}',
        '{"stages": {"coder": {"dev_l1": 1' + "0" * 400 + "}}}",
    ],
    ids=["a number", "a list", "text", "not a number", "beyond floats"],
)
def test_a_model_takes_one_line_whatever_its_training_data(
    user_bundles: Path, training: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(user_bundles / "a.safetensors", name="odd", training=training)
    assert [line[0] for line in table(capsys)] == ["name", "speech-16k", "odd"]


def test_a_model_of_another_release_is_listed_as_far_as_it_can_be_read(
    user_bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(user_bundles / "a.safetensors", name="later", profile='{"name": "later", "waves": 3}')
    write_bundle(user_bundles / "b.safetensors", name="other", profile='{"name": "other", "system": "waves"}')
    _, _, later, other = table(capsys)
    for line, name, system in ((later, "later", "fmel"), (other, "other", "waves")):
        assert line[:3] == [name, system, "unknown: this release cannot run it"]
        assert line[-3] == "CC-BY-4.0"
    for record in listed(capsys)[1:]:
        unknown = [record[key] for key in ("rate_hz", "bits_per_s", "latency_s")]
        assert unknown == [None] * 3 and record["profile"] == record["name"] and record["suits"] == []


def test_control_characters_of_a_stranger_s_model_are_shown_not_sent(
    user_bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = json.dumps({"name": "\x1b]0;owned\x07"})
    write_bundle(user_bundles / "a.safetensors", name="\x1b[2J", licence="free\nof it", profile=profile)
    assert main(["models"]) == 0
    output = capsys.readouterr().out
    assert not {"\x1b", "\x07"} & set(output) and "free\\nof it" in output


def test_paths_are_printed_for_scripts(
    user_bundles: Path, tiny_bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "path", "speech-16k"]) == 0
    assert main(["models", "path"]) == 0
    assert capfd.readouterr() == (f"{tiny_bundle}\n{user_bundles}\n", "")


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["path", "none"], ExitCode.MODEL, "no bundle is named 'none'; installed: speech-16k; "),
        (["remove", "none"], ExitCode.MODEL, "no bundle is named 'none'"),
        (["remove", "speech-16k"], ExitCode.USAGE, "speech-16k: comes with melcodec"),
        (["add", "none"], ExitCode.USAGE, "'none' does not exist"),
        (["add", __file__], ExitCode.MODEL, "not a bundle: no safetensors header"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[-1] != __file__ else "",
)
def test_each_error_takes_one_line(
    user_bundles: Path,
    arguments: list[str],
    code: ExitCode,
    line: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and line in captured.err


def test_an_installed_model_is_replaced_only_with_force(
    user_bundles: Path, tiny_48k_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "add", str(tiny_48k_bundle)]) == 0
    capsys.readouterr()
    assert main(["models", "add", str(tiny_48k_bundle)]) == ExitCode.OUTPUT
    assert "use --force to replace it" in capsys.readouterr().err
    assert main(["models", "add", "--force", str(tiny_48k_bundle)]) == 0
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["replaced", "added"]


def test_listing_needs_no_torch() -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'soundfile', 'soxr', 'safetensors', 'scipy', 'rich'):\n"
        "    sys.modules[name] = None\n"
        "from melcodec_cli.cli import main\n"
        "sys.exit(main(['models', 'list', '--json']))\n"
    )
    command = [sys.executable, "-c", script]
    environment = os.environ | {"MELCODEC_DEBUG": "1"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
