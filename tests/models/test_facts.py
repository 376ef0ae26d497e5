"""The description of its system in a bundle, readable without torch; and bundles in which it is missing or wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import melcodec_cli
from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, ModelMismatch
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.systems.fmel.chain import MOST_EFFORT, Chain
from melcodec_cli.systems.fmel.config import MAX_STEPS, Profile
from melcodec_cli.systems.system import Option, Reach, Shape
from tests.models.test_hostile_bundle import edited, refusal
from tests.sounds import noise

pytestmark = pytest.mark.slow

FACTS = ("shape", "options", "suits")


def metadata_of(bundle: Path) -> dict[str, str]:
    data = bundle.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata: dict[str, str] = header["__metadata__"]
    return metadata


def without_facts(header: dict[str, Any]) -> None:
    for name in FACTS:
        del header["__metadata__"][name]


def saying(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def edit(header: dict[str, Any]) -> None:
        metadata = header["__metadata__"]
        metadata[name] = json.dumps(change(json.loads(metadata[name])))

    return edit


@pytest.fixture
def older(tiny_bundle: Path, tmp_path: Path) -> Path:
    """The tiny bundle as an earlier release saved it."""
    (tmp_path / "older").mkdir()
    return edited(tiny_bundle, tmp_path / "older" / "tiny.safetensors", without_facts)


def test_a_saved_bundle_describes_its_system(tiny_bundle: Path) -> None:
    from melcodec_cli.models.bundle import load_bundle

    system, info = load_bundle(tiny_bundle, "cpu").system, read_bundle_info(tiny_bundle)
    assert info.told is not None
    assert info.shape == system.shape
    assert info.facts.options == tuple(system.options)
    assert info.suits == tuple(system.suits) == ("speech",)
    assert info.option("effort") == Option("effort", "encode", 1, MOST_EFFORT, 2)
    assert info.option("steps") == Option("steps", "decode", 0, MAX_STEPS, 2)
    assert info.option("colour") is None
    shape = info.shape
    assert isinstance(shape, Shape)
    assert (shape.rate_hz, shape.frame_samples, shape.chunk_frames) == (16000, 640, 40)
    assert (shape.index_bits, shape.codewords, shape.rows, shape.rows_sent) == (10, 1024, 1, (1,))
    assert (shape.globals_count, shape.globals_bits) == (8, 3)
    assert shape.encode == Reach.around(24) and shape.decode == system.decode_reach({})


@pytest.mark.parametrize(
    "command", [["models", "list"], ["models", "list", "--json"], ["info", "talk.mlc"]], ids=" ".join
)
def test_neither_the_list_nor_info_imports_torch(
    tiny_bundle: Path, tmp_path: Path, command: list[str]
) -> None:
    """Everything about the file and its model is shown nevertheless."""
    data = melcodec_cli.compress(noise(1), rate_hz=16000, bundle=str(tiny_bundle))
    (tmp_path / "talk.mlc").write_bytes(data)
    script = (
        "import sys; from pathlib import Path; from melcodec_cli.cli import main\n"
        "from melcodec_cli.models import installed\n"
        "installed.OWN_FOLDER = Path(sys.argv[1])\n"
        "code = main(sys.argv[2:])\n"
        "sys.exit(code or ', '.join({'torch', 'safetensors'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tiny_bundle.parent), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "speech-16k" in result.stdout
    assert "2.56" in result.stdout or "2.6 s" in result.stdout  # its latency


def test_an_older_bundle_is_listed_and_shown_just_as_well(
    user_bundles: Path,
    tiny_bundle: Path,
    older: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    coded = tmp_path / "talk.mlc"
    coded.write_bytes(melcodec_cli.compress(noise(1), rate_hz=16000, bundle=str(tiny_bundle)))

    def told(folder: Path) -> list[Any]:
        monkeypatch.setattr("melcodec_cli.models.installed.OWN_FOLDER", folder)
        assert main(["models", "list", "--json"]) == main(["info", "--json", str(coded)]) == 0
        model, file = map(json.loads, capsys.readouterr().out.splitlines())
        assert model.pop("path").startswith(str(folder)) and model.pop("size_bytes")
        return [model, file]

    assert read_bundle_info(older).told is None
    assert not set(metadata_of(older)) & set(FACTS)
    assert told(older.parent) == told(tiny_bundle.parent)
    assert melcodec_cli.compress(noise(1), rate_hz=16000, bundle=str(older)) == coded.read_bytes()


def test_a_bundle_of_an_unknown_system_can_still_be_read(
    tiny_bundle: Path, older: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(header: dict[str, Any]) -> None:
        header["__metadata__"]["profile"] = json.dumps({"name": "later", "system": "waves"})

    info = read_bundle_info(edited(tiny_bundle, tmp_path / "later.safetensors", edit))
    assert (info.system, info.suits) == ("waves", ("speech",)) and info.shape is not None
    assert "system 'waves' is unknown; known systems: fmel" in refusal(info.path, capsys)
    without = read_bundle_info(edited(older, tmp_path / "without.safetensors", edit))
    assert (without.shape, without.facts.options, without.suits) == (None, (), ())


@pytest.mark.parametrize(
    "name, change",
    [
        ("shape", lambda shape: {}),
        ("shape", lambda shape: []),
        ("shape", lambda shape: "wide"),
        ("shape", lambda shape: shape | {"colour": 1}),
        ("shape", lambda shape: shape | {"rate_hz": 0}),
        ("shape", lambda shape: shape | {"rate_hz": 10**400}),
        ("shape", lambda shape: shape | {"rate_hz": "16000"}),
        ("shape", lambda shape: shape | {"frame_samples": 0}),
        ("shape", lambda shape: shape | {"chunk_frames": -1}),
        ("shape", lambda shape: shape | {"chunk_frames": 10**9}),
        ("shape", lambda shape: shape | {"index_bits": 64}),
        ("shape", lambda shape: shape | {"codewords": 1 << 20}),
        ("shape", lambda shape: shape | {"rows": 0}),
        ("shape", lambda shape: shape | {"rows_sent": []}),
        ("shape", lambda shape: shape | {"rows_sent": [2]}),
        ("shape", lambda shape: shape | {"kind": "\x1b[2J"}),
        ("shape", lambda shape: shape | {"encode": {"before": 10**12, "after": 0}}),
        ("shape", lambda shape: shape | {"decode": {"before": 0, "after": -1}}),
        ("shape", lambda shape: shape | {"decode": {"before": 0}}),
        ("shape", lambda shape: shape | {"decode": 5}),
        ("shape", lambda shape: shape | {"globals_count": 1000}),
        ("shape", lambda shape: shape | {"globals_bits": -3}),
        ("options", lambda options: {}),
        ("options", lambda options: [{}]),
        ("options", lambda options: [5]),
        ("options", lambda options: [options[0] | {"low": "much"}]),
        ("options", lambda options: [options[0] | {"colour": "red"}]),
        ("suits", lambda suits: "speech"),
        ("suits", lambda suits: 5),
    ],
)
def test_invalid_facts_are_damage(
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: Callable[[Any], Any],
) -> None:
    path = edited(tiny_bundle, tmp_path / "bad.safetensors", saying(name, change))
    with pytest.raises(ModelMismatch, match="damaged"):
        read_bundle_info(path)
    refusal(path, capsys)


@pytest.mark.parametrize("name", ["options", "suits"])
def test_incomplete_facts_are_damage(tiny_bundle: Path, tmp_path: Path, name: str) -> None:
    path = edited(tiny_bundle, tmp_path / "half.safetensors", lambda header: header["__metadata__"].pop(name))
    with pytest.raises(ModelMismatch, match=f"lacks '{name}'"):
        read_bundle_info(path)


@pytest.mark.parametrize(
    "change",
    [
        {"chunk_frames": 41},
        {"codewords": 1000},
        {"encode": {"before": 0, "after": 0}},
        {"decode": {"before": 0, "after": 0}},
        {"globals_count": 0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_shape_that_the_weights_do_not_have_is_refused_when_they_are_loaded(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    path = edited(tiny_bundle, tmp_path / "lie.safetensors", saying("shape", lambda shape: shape | change))
    assert read_bundle_info(path).shape is not None
    assert "another shape" in refusal(path, capsys)


OF_MANY_FRAMES = {
    "mel": {"rate_hz": 384_000, "fft_samples": 4, "window_samples": 4, "hop_samples": 2, "bands": 1},
    "vocoder": {
        "name": "hifigan",
        "upsample_strides": [2],
        "upsample_kernels": [2],
        "upsample_width": 2,
    },
    "pitch": None,
    "refiner": None,
    "chunk_tokens": 100_000,
}
OF_FAR_REACH = {
    "mel": {
        "rate_hz": 4000,
        "fft_samples": 4096,
        "window_samples": 4096,
        "hop_samples": 2000,
        "high_hz": 2000.0,
    },
    "vocoder": {"fft_samples": 8000},
    "refiner": {"dilations": [64, 64], "steps": 64},
    "chunk_tokens": 30,
}


@pytest.mark.parametrize("profile", [OF_MANY_FRAMES, OF_FAR_REACH], ids=["many frames", "far reach"])
def test_an_older_bundle_of_a_shape_that_no_stream_can_have_is_listed_as_unknown(
    user_bundles: Path,
    tiny_bundle: Path,
    profile: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    Chain(Profile.from_dict(profile))  # the profile itself is within its limits

    def edit(header: dict[str, Any]) -> None:
        without_facts(header)
        header["__metadata__"] |= {"profile": json.dumps(profile), "name": "odd"}

    user_bundles.mkdir(parents=True)
    edited(tiny_bundle, user_bundles / "odd.safetensors", edit)
    assert main(["models", "list", "--json"]) == ExitCode.OK
    one, odd = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["rate_hz"], odd["name"], odd["rate_hz"]) == (16000, "odd", None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda metadata: metadata.update(shape="{}"),
        lambda metadata: metadata.update(profile='{"name": "odd", "mel": 5}'),
        lambda metadata: (metadata.pop("shape"), metadata.update(profile='{"name": "odd", "mel": 5}')),
    ],
    ids=["no shape", "no profile", "neither"],
)
def test_one_bad_bundle_does_not_hide_the_others(
    user_bundles: Path,
    tiny_48k_bundle: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[dict[str, str]], None],
) -> None:
    user_bundles.mkdir(parents=True)
    edited(tiny_48k_bundle, user_bundles / "odd.safetensors", lambda header: damage(header["__metadata__"]))
    assert main(["models"]) == ExitCode.OK
    assert "speech-16k" in capsys.readouterr().out
