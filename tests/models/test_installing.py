"""Bundles are installed completely and checked, or not at all, and never replace what others rely on."""

import json
import os
import pickle
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from melcodec_cli.errors import (
    MelcodecError,
    ModelMismatch,
    ModelMissing,
    OutputExists,
    SameFile,
    UsageProblem,
)
from melcodec_cli.models import bundle as bundle_module
from melcodec_cli.models.installed import BundleInfo, bundle_for, bundle_named, read_bundle_info
from melcodec_cli.models.installing import add_bundle, remove_bundle
from tests.conftest import write_tiny_bundle


def renamed(bundle: Path, target: Path, name: str) -> Path:
    """The same weights under another name, on which the ids do not depend."""
    data = bundle.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["name"] = name
    text = json.dumps(header).encode()
    target.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return target


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_an_added_bundle_is_a_copy_that_is_found_by_name_and_by_id(
    user_bundles: Path, tiny_48k_bundle: Path
) -> None:
    bundle, replaced = add_bundle(tiny_48k_bundle)
    assert files(user_bundles) == {"speech-48k.safetensors": tiny_48k_bundle.read_bytes()}
    assert replaced == [] and bundle.path == user_bundles / "speech-48k.safetensors"
    assert bundle_named("speech-48k") == bundle
    assert bundle_for(bytes.fromhex(bundle.bitstream_id), bytes.fromhex(bundle.renderer_id)) == bundle


def test_a_name_that_is_taken_needs_force_which_replaces_its_bundle(
    user_bundles: Path, tiny_48k_bundle: Path, tmp_path: Path
) -> None:
    old, _ = add_bundle(tiny_48k_bundle)
    newer = tmp_path / "newer.safetensors"
    write_tiny_bundle(newer, "speech-48k", 48000, seed=2)
    with pytest.raises(OutputExists, match=f"{old.bitstream_id}/{old.renderer_id} .use --force"):
        add_bundle(newer)
    assert files(user_bundles) == {"speech-48k.safetensors": tiny_48k_bundle.read_bytes()}
    bundle, replaced = add_bundle(newer, force=True)
    assert replaced == [old] and bundle.bitstream_id != old.bitstream_id
    assert files(user_bundles) == {"speech-48k.safetensors": newer.read_bytes()}


def test_ids_that_are_taken_need_force_which_replaces_their_bundle_whatever_its_file_name(
    user_bundles: Path, tiny_48k_bundle: Path, tmp_path: Path
) -> None:
    user_bundles.mkdir(parents=True)
    (user_bundles / "by-hand.safetensors").write_bytes(tiny_48k_bundle.read_bytes())
    other = renamed(tiny_48k_bundle, tmp_path / "other.safetensors", "other")
    with pytest.raises(OutputExists, match="speech-48k: is already installed"):
        add_bundle(other)
    add_bundle(other, force=True)
    assert files(user_bundles) == {"other.safetensors": other.read_bytes()}


@pytest.mark.parametrize("force", [False, True], ids=["asked", "forced"])
def test_the_name_of_the_bundle_that_comes_with_melcodec_stays_its_own(
    user_bundles: Path, tmp_path: Path, force: bool
) -> None:
    path = tmp_path / "mine.safetensors"
    write_tiny_bundle(path, "speech-16k", seed=2)
    with pytest.raises(OutputExists, match="speech-16k: comes with melcodec"):
        add_bundle(path, force)
    assert not user_bundles.exists()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".hidden",
        "../up",
        "/etc/x",
        "a/b",
        "a\\b",
        "a\nb",
        "a\0b",
        "-o",
        "auto",
        "x.safetensors",
        "ü",
        "x" * 65,
    ],
)
def test_a_name_that_is_no_plain_file_name_is_refused(
    user_bundles: Path, tiny_48k_bundle: Path, tmp_path: Path, name: str
) -> None:
    path = renamed(tiny_48k_bundle, tmp_path / "odd.safetensors", name)
    with pytest.raises(ModelMismatch, match="is not allowed for an installed bundle"):
        add_bundle(path)
    assert not user_bundles.exists()


class Hostile:
    """Unpickling it would create a file."""

    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.victim,)


def _pickle(data: bytes, folder: Path) -> bytes:
    return pickle.dumps(Hostile(folder / "victim"))


def _cut(data: bytes, folder: Path) -> bytes:
    return data[:-1000]


def _other_weights(data: bytes, folder: Path) -> bytes:
    """Flip one bit of the last weight, which the renderer's id covers."""
    return data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]


@pytest.mark.parametrize("spoil", [_pickle, _cut, _other_weights])
def test_a_bad_bundle_is_refused_and_leaves_nothing(
    user_bundles: Path, tiny_48k_bundle: Path, tmp_path: Path, spoil: Callable[[bytes, Path], bytes]
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(spoil(tiny_48k_bundle.read_bytes(), tmp_path))
    with pytest.raises(ModelMismatch):
        add_bundle(path)
    assert not user_bundles.exists() and not (tmp_path / "victim").exists()


def test_what_is_installed_is_what_was_checked(
    user_bundles: Path, tiny_48k_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may write to the file while it is checked."""
    path = tmp_path / "mine.safetensors"
    good = tiny_48k_bundle.read_bytes()
    path.write_bytes(good)
    real = bundle_module.try_out

    def try_out_and_spoil(info: BundleInfo) -> Any:
        tried = real(info)
        path.write_bytes(_other_weights(good, tmp_path))
        return tried

    monkeypatch.setattr(bundle_module, "try_out", try_out_and_spoil)
    add_bundle(path)
    assert files(user_bundles) == {"speech-48k.safetensors": good}


def test_a_file_that_is_too_large_is_not_even_copied(
    user_bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr("shutil.copyfile", lambda *_: pytest.fail("it was copied"))
    with pytest.raises(ModelMismatch, match="huge.safetensors: is over the limit of 192 MiB"):
        add_bundle(path)


def test_a_pipe_is_refused_rather_than_waited_for(user_bundles: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(UsageProblem, match="must be a regular file"):
        add_bundle(tmp_path / "pipe.safetensors")


def test_a_disk_that_fills_up_leaves_what_was_there(
    user_bundles: Path, tiny_48k_bundle: Path, tmp_path: Path
) -> None:
    add_bundle(tiny_48k_bundle)
    newer = tmp_path / "newer.safetensors"
    write_tiny_bundle(newer, "speech-48k", 48000, seed=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (newer.stat().st_size // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            add_bundle(newer, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(user_bundles) == {"speech-48k.safetensors": tiny_48k_bundle.read_bytes()}


@pytest.mark.parametrize("force", [False, True], ids=["asked", "forced"])
def test_an_installed_bundle_is_not_added_to_itself(
    user_bundles: Path, tiny_48k_bundle: Path, force: bool
) -> None:
    bundle, _ = add_bundle(tiny_48k_bundle)
    with pytest.raises(SameFile, match="already"):
        add_bundle(bundle.path, force)
    assert read_bundle_info(bundle.path) == bundle


def test_a_bundle_that_was_added_can_be_removed(user_bundles: Path, tiny_48k_bundle: Path) -> None:
    bundle, _ = add_bundle(tiny_48k_bundle)
    assert remove_bundle("speech-48k") == [bundle]
    assert files(user_bundles) == {}
    with pytest.raises(ModelMissing, match="'speech-48k'"):
        remove_bundle("speech-48k")


def test_bundles_outside_the_user_folder_are_not_removed(
    user_bundles: Path, tiny_bundle: Path, tiny_48k_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELCODEC_BUNDLES", str(tiny_48k_bundle.parent))
    for name, origin in (("speech-16k", "comes with melcodec"), ("speech-48k", "is in /")):
        with pytest.raises(UsageProblem, match=origin):
            remove_bundle(name)
        with pytest.raises(MelcodecError, match=origin):
            add_bundle(bundle_named(name).path, force=True)
    assert tiny_bundle.exists() and tiny_48k_bundle.exists()
