"""Bundles are found and described from their header, even untrusted ones."""

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from melcodec_cli.errors import ModelMismatch, ModelMissing
from melcodec_cli.models.installed import (
    EARLIER,
    EARLIER_FOLDER,
    OWN_FOLDER,
    PUBLISHED,
    PUBLISHED_FOLDER,
    BundleInfo,
    Published,
    bundle_for,
    bundle_named,
    installed_bundles,
    read_bundle_info,
)

METADATA = {
    "format": "melcodec-bundle-1",
    "name": "tiny",
    "profile": json.dumps({"name": "tiny", "chunk_tokens": 500}),
    "bitstream_id": "01020304",
    "renderer_id": "a0b0",
    "licence": "CC-BY-4.0",
    "training": json.dumps({"steps": 10}),
}


def write_bundle(path: Path, **changes: Any) -> Path:
    """Write a safetensors file with METADATA and `changes` to it (None removes a key)."""
    metadata = {key: value for key, value in (METADATA | changes).items() if value is not None}
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"__metadata__": metadata, "weight": tensor}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    return path


def test_a_bundle_says_what_it_is(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "tiny.safetensors")
    assert read_bundle_info(path) == BundleInfo(
        path=path,
        name="tiny",
        bitstream_id="01020304",
        renderer_id="a0b0",
        licence="CC-BY-4.0",
        profile={"name": "tiny", "chunk_tokens": 500},
        training={"steps": 10},
        size_bytes=path.stat().st_size,
        told=None,
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": "melcodec-bundle-9"}, "melcodec-bundle-9 instead of melcodec-bundle-1"),
        ({"format": None}, "without a format"),
        ({"name": None}, "lacks 'name'"),
        ({"bitstream_id": "0102"}, "not an id of 8"),
        ({"bitstream_id": "01 020304"}, "not an id of 8"),
        ({"renderer_id": "xyzw"}, "damaged"),
        ({"profile": "[]"}, "JSON object"),
        ({"training": "{"}, "damaged"),
        ({"training": "[" * 100_000}, "damaged"),
        ({"licence": 5}, "not text"),
    ],
    ids=[
        "newer format",
        "no format",
        "no name",
        "short id",
        "id with a space",
        "id that is not hexadecimal",
        "profile that is a list",
        "training that is not JSON",
        "training nested without end",
        "licence that is a number",
    ],
)
def test_metadata_that_breaks_a_rule_is_refused(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    path = write_bundle(tmp_path / "bad.safetensors", **changes)
    with pytest.raises(ModelMismatch, match=complaint):
        read_bundle_info(path)


class Hostile:
    """Unpickling it would create a file."""

    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.victim,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    victim, path = tmp_path / "victim", tmp_path / "hostile.safetensors"
    path.write_bytes(pickle.dumps(Hostile(victim), protocol))
    with pytest.raises(ModelMismatch, match="can run code"):
        read_bundle_info(path)
    assert not victim.exists()


def test_a_zip_such_as_torch_saves_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(ModelMismatch, match="can run code"):
        read_bundle_info(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no safetensors header"),
        (b"RIFF\0\0\0\0WAVE", "no safetensors header"),
        (struct.pack("<Q", 1 << 62) + b"{}", "no safetensors header"),
        (struct.pack("<Q", 17 << 20) + b"{}", "no safetensors header"),
        (struct.pack("<Q", 1 << 20) + b"{}", "truncated"),
        (struct.pack("<Q", 2) + b"{]", "not JSON"),
        (struct.pack("<Q", 4) + b'{"\xff"', "not JSON"),
        (struct.pack("<Q", 2) + b"{}", "without a format"),
    ],
    ids=[
        "empty",
        "a WAV file",
        "absurd size",
        "size over the limit",
        "size beyond the end",
        "broken JSON",
        "not UTF-8",
        "no metadata",
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelMismatch, match=complaint):
        read_bundle_info(path)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `a`, `b` (by variable) and `home` (by XDG) are searched."""
    monkeypatch.setenv("MELCODEC_BUNDLES", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path


def test_bundles_are_found_in_every_folder_in_order(folders: Path) -> None:
    write_bundle(folders / "home" / "melcodec" / "bundles" / "z.safetensors", name="mine")
    write_bundle(folders / "b" / "y.safetensors", name="second")
    write_bundle(folders / "a" / "x.safetensors", name="first")
    (folders / "a" / "junk.safetensors").write_bytes(b"junk")
    names = [bundle.name for bundle in installed_bundles() if folders in bundle.path.parents]
    assert names == ["first", "second", "mine"]


def test_a_bundle_is_asked_for_by_name_or_by_path(folders: Path) -> None:
    path = write_bundle(folders / "a" / "x.safetensors", name="first")
    assert bundle_named("first") == bundle_named(str(path)) == read_bundle_info(path)
    with pytest.raises(ModelMissing, match="'last'; installed: .*first"):
        bundle_named("last")
    with pytest.raises(ModelMissing, match="no such bundle"):
        bundle_named(str(folders / "a" / "none.safetensors"))


def test_a_stream_prefers_the_bundle_of_its_own_renderer(folders: Path) -> None:
    older = write_bundle(folders / "a" / "x.safetensors", renderer_id="0001")
    newer = write_bundle(folders / "b" / "y.safetensors", renderer_id="0002")
    found = [bundle_for(bytes.fromhex("01020304"), bytes([0, renderer])) for renderer in (1, 2, 3)]
    assert [bundle.path if bundle else None for bundle in found] == [older, newer, older]
    assert bundle_for(bytes(4), bytes(2)) is None


def test_error_messages_name_the_bundles_in_the_source_tree() -> None:
    found = {path.stem: read_bundle_info(path) for path in PUBLISHED_FOLDER.glob("*.safetensors")}
    assert all(bundle.name == name for name, bundle in found.items())
    told = {
        Published(
            bundle.name,
            bundle.bitstream_id,
            bundle.licence,
            bundle.shape.rate_hz if bundle.shape else 0,
            bundle.suits,
        )
        for bundle in found.values()
    }
    assert told == set(PUBLISHED) and len(told) == len(PUBLISHED)


def test_earlier_bundles_are_named_by_what_they_made() -> None:
    found = {path.stem: read_bundle_info(path) for path in EARLIER_FOLDER.glob("*.safetensors")}
    assert found.keys() == {f"{name}-{bitstream_id}" for bitstream_id, name in EARLIER.items()}
    assert all(stem == f"{bundle.name}-{bundle.bitstream_id}" for stem, bundle in found.items())
    assert not EARLIER.keys() & {known.bitstream_id for known in PUBLISHED}


def test_the_package_has_one_bundle_which_is_free() -> None:
    (path,) = OWN_FOLDER.glob("*.safetensors")
    bundle = read_bundle_info(path)
    assert (bundle.name, bundle.licence) == ("speech-16k", "Apache-2.0")
    sources = bundle.training["corpus"]["sources"]
    assert sources and not any("NC" in licence for licence in sources.values())
