"""Blocks pass through a copy untouched, tags can be replaced, and files print as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from mlcfile import CorruptError, Reader, UnsupportedError, read_streams, remux
from mlcfile.dump import dump

from .streams import GOOD, NOT_LIVE, VECTORS, Pipe, read_all

ANCILLARY = (VECTORS / "good" / "ancillary.mlc").read_bytes()


def copied(data: bytes, tags: dict[str, str] | None = None) -> bytes:
    target = Pipe()
    remux(Pipe(data), target, tags)
    return target.getvalue()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_copy_is_the_same_to_the_byte(path: Path) -> None:
    assert copied(path.read_bytes()) == path.read_bytes()


@pytest.mark.parametrize("path", NOT_LIVE, ids=lambda path: path.stem)
def test_other_tags_take_the_place_of_the_old_ones_and_all_else_stays(path: Path) -> None:
    changed = copied(path.read_bytes(), {"TITLE": "another"})
    assert copied(changed, {}) == copied(path.read_bytes(), {})
    for reader in read_streams(BytesIO(changed)):
        list(reader)
        assert reader.tags == [("TITLE", "another")]
        assert reader.end is not None and reader.end.verified
    assert len(read_all(changed)) == len(read_all(path.read_bytes()))


def test_blocks_of_unknown_type_are_kept() -> None:
    reader = Reader(BytesIO(copied(ANCILLARY, {})))
    assert [block.name for block in reader.blocks()] == ["PADDING", "CODES", "0xf0", "CODES", "CODES", "END"]


def test_a_damaged_stream_is_not_copied_as_if_it_were_sound() -> None:
    with pytest.raises(CorruptError):
        copied(ANCILLARY[:-30] + ANCILLARY[-29:])


def test_an_unknown_critical_block_stops_even_a_concealing_reader() -> None:
    data = (VECTORS / "broken" / "critical-block-type-3.mlc").read_bytes()
    chunks = []
    with pytest.raises(UnsupportedError):
        for chunk in Reader(BytesIO(data), conceal=True):
            chunks.append(chunk.number)
    assert chunks == [0]


def test_the_package_prints_a_file_as_json() -> None:
    path = VECTORS / "good" / "concatenated.mlc"
    done = subprocess.run([sys.executable, "-m", "mlcfile", path], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(dump(BytesIO(path.read_bytes()))))


def test_the_package_prints_what_is_left_of_a_damaged_file_and_fails() -> None:
    path = VECTORS / "broken" / "block-checksum-body.mlc"
    done = subprocess.run([sys.executable, "-m", "mlcfile", path], capture_output=True, text=True)
    assert done.returncode == 1
    stream = json.loads(done.stdout)[0]
    assert stream["lost_chunks"] == [[1, 1]]
    assert "checksum" in stream["damage"][0]
    assert [block.get("chunk") for block in stream["blocks"]] == [0, 2, None]


def test_the_package_says_in_one_line_what_is_not_an_mlc_file() -> None:
    path = VECTORS / "broken" / "wav-file.mlc"
    done = subprocess.run([sys.executable, "-m", "mlcfile", path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"mlcfile: {path}: not an .mlc file: it looks like a WAV file\n"


def test_a_live_stream_has_no_place_for_tags() -> None:
    path = next(path for path in GOOD if path not in NOT_LIVE)
    with pytest.raises(UnsupportedError, match="a live stream has no place for tags"):
        copied(path.read_bytes(), {"TITLE": "another"})
