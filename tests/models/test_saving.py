"""Bundles and training files replace earlier ones completely, or leave them as they are."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from melcodec_cli.models.bundle import load_bundle, save_bundle
from melcodec_cli.train.checkpoint import read, save_atomically

Save = Callable[[Path], None]


@pytest.fixture(params=["bundle", "checkpoint"])
def save(request: pytest.FixtureRequest, tiny_bundle: Path) -> Save:
    if request.param == "bundle":
        system = load_bundle(tiny_bundle).system
        return lambda path: save_bundle(system, path, "tiny", "CC0-1.0", {})
    return lambda path: save_atomically({"weight": torch.ones(2, 3).T}, path, {"step": "1"})


def full_disk(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_earlier_file_is_replaced_and_nothing_else_touched(save: Save, tmp_path: Path) -> None:
    path, other = tmp_path / "stage.safetensors", tmp_path / "stage.part"
    for earlier in [path, other]:
        earlier.write_bytes(b"earlier")
    save(path)
    assert load_file(path)
    assert other.read_bytes() == b"earlier"
    assert sorted(os.listdir(tmp_path)) == ["stage.part", "stage.safetensors"]


def test_a_failure_leaves_the_earlier_file(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stage.safetensors"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(tmp_path) == ["stage.safetensors"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_a_new_file_has_the_mode_that_the_umask_leaves(
    umask: int, mode: int, save: Save, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        save(tmp_path / "stage.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "stage.safetensors").stat().st_mode & 0o777 == mode


def test_a_checkpoint_has_its_tensors_and_notes(tmp_path: Path) -> None:
    save_atomically({"weight": torch.arange(6).view(2, 3).T}, tmp_path / "it", {"step": "1"})
    tensors, notes = read(tmp_path / "it", torch.device("cpu"))
    assert tensors["weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert notes == {"step": "1"}
