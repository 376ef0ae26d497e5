"""The golden files, byte for byte in both directions."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import mlcfile
import pytest
from mlcfile.dump import dump

from .streams import BROKEN, GOOD, TABLES_BY_ID, VECTORS, with_tables


def described(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_sound_file_holds_what_its_description_says(path: Path) -> None:
    expected = described(path)
    data = path.read_bytes()
    tables_id = bytes.fromhex(expected["streams"][0]["header"].get("tables_id", ""))
    streams = dump(BytesIO(data), indices=True, tables=TABLES_BY_ID.get(tables_id))
    assert len(data) == expected["size"]
    assert len(streams) == len(expected["streams"])
    for stream, told in zip(streams, expected["streams"], strict=True):
        assert stream["complete"]
        assert stream["header"] == told["header"]
        for block, told_block in zip(stream["blocks"], told["blocks"], strict=True):
            assert {key: block[key] for key in told_block} == told_block


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_file_is_refused_as_its_description_says(path: Path) -> None:
    told = described(path)
    chunks = 0
    with path.open("rb") as file, pytest.raises(getattr(mlcfile, told["error"])) as raised:
        for reader in mlcfile.read_streams(file):
            for _ in with_tables(reader):
                chunks += 1
    assert (type(raised.value).__name__, str(raised.value)) == (told["error"], told["message"])
    assert chunks == told["chunks"]


def test_the_writer_still_writes_every_golden_file_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, VECTORS / "write_vectors.py", tmp_path], check=True)
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("*/*")}
    golden = {
        path.relative_to(VECTORS): path.read_bytes()
        for suffix in ("mlc", "json", "tables")
        for path in VECTORS.glob(f"*/*.{suffix}")
    }
    assert sorted(written) == sorted(golden)
    assert [str(name) for name in golden if written[name] != golden[name]] == []
