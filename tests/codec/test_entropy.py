"""Compressing with a bundle's tables: fewer bytes, the same sound, and one clear line where tables are missing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import mlcfile
import numpy as np
import pytest

import melcodec_cli
from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, ModelMismatch, ModelMissing, UsageProblem
from melcodec_cli.models.bundle import load_bundle
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.models.tables import TENSOR, read_tables, write_with_tables
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

TALK = wav(noise(5))


@pytest.fixture
def both(tiny_bundle: Path, tabled_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all that is installed: the tiny bundle with tables."""
    monkeypatch.setattr("melcodec_cli.models.installed.bundle_folders", lambda: [tabled_bundle.parent])
    return tabled_bundle


def coded(bundle: Path, **settings: Any) -> bytes:
    return melcodec_cli.compress(TALK, bundle=str(bundle), **settings)


def sound(file: bytes, **settings: Any) -> Any:
    return melcodec_cli.decompress(file, **settings)[0]


def test_tables_are_used_by_default_and_change_no_sample(both: Path) -> None:
    with_tables, without = coded(both), coded(both, entropy=False)
    assert len(with_tables) < 0.95 * len(without)
    np.testing.assert_array_equal(sound(with_tables), sound(without))
    np.testing.assert_array_equal(
        sound(with_tables, start_s=3.0, end_s=4.5), sound(without, start_s=3.0, end_s=4.5)
    )


def test_without_tables_a_file_is_what_it_always_was(tiny_bundle: Path, both: Path) -> None:
    assert coded(both, entropy=False) == coded(tiny_bundle)


def test_entropy_needs_tables(tiny_bundle: Path) -> None:
    with pytest.raises(UsageProblem, match="entropy: speech-16k has no tables"):
        coded(tiny_bundle, entropy=True)


def test_tables_leave_ids_and_weights_as_they_are(
    tiny_bundle: Path, tabled_bundle: Path, tmp_path: Path
) -> None:
    plain, tabled = read_bundle_info(tiny_bundle), read_bundle_info(tabled_bundle)
    assert (plain.bitstream_id, plain.renderer_id) == (tabled.bitstream_id, tabled.renderer_id)
    tables = read_tables(tabled)
    assert plain.tables_id is None and tabled.tables_id == tables.id.hex()
    load_bundle(tabled, "cpu")
    again = tmp_path / "again.safetensors"
    write_with_tables(tabled, tables, again, force=False)
    assert again.read_bytes() == tabled_bundle.read_bytes()


def test_a_file_without_its_tables_is_refused_in_one_line(
    tiny_bundle: Path, both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = coded(both)
    # Another bundle of this bitstream id is not enough, but its tables are found beside one that lacks them.
    np.testing.assert_array_equal(sound(file, bundle=str(tiny_bundle)), sound(file))
    monkeypatch.setattr("melcodec_cli.models.installed.bundle_folders", lambda: [tiny_bundle.parent])
    tables_id = read_bundle_info(both).tables_id
    with pytest.raises(ModelMissing, match=f"coded with the tables {tables_id}, but speech-16k has none"):
        sound(file, threads=1)  # so that models are looked up anew
    path = tmp_path / "talk.mlc"
    path.write_bytes(file)
    assert main(["decompress", str(path)]) == ExitCode.MODEL
    assert main(["verify", str(path)]) == ExitCode.OK


def test_info_says_what_was_saved(both: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "talk.mlc"
    path.write_bytes(coded(both))
    assert main(["info", "--json", str(path)]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)["streams"][0]
    assert told["entropy"]["tables_id"] == read_bundle_info(both).tables_id
    assert (told["entropy"]["coded_chunks"], told["chunks"]) == (3, 4)  # the last has only five indices
    reader = mlcfile.Reader(io.BytesIO(path.read_bytes()))
    index_bits = sum(chunk.codes.index_bits for chunk in reader)
    assert told["entropy"]["saved_percent"] == pytest.approx(100 * (1 - index_bits / (125 * 10)), abs=0.01)
    assert told["payload_bits"] == index_bits + 4 * reader.header.chunk_globals_bits
    assert main(["info", str(path)]) == ExitCode.OK
    assert "coded 3 of 4 chunks, which saves" in capsys.readouterr().out


def test_reports_count_the_bits_that_were_written(both: Path, tmp_path: Path) -> None:
    target = tmp_path / "talk.mlc"
    record = melcodec_cli.compress(TALK, target, bundle=str(both))
    assert record.mlc_bytes == target.stat().st_size
    back = melcodec_cli.decompress(target, tmp_path / "talk.wav", bundle=str(both))
    assert record.payload_bits == back.payload_bits < 125 * 10 + 4 * 24


def test_damage_stays_in_its_chunk(both: Path) -> None:
    file = bytearray(coded(both))
    blocks = list(mlcfile.Reader(io.BytesIO(bytes(file))).blocks())
    file[blocks[1].offset + 9] ^= 1
    whole, saved = sound(coded(both)), None
    with pytest.warns(UserWarning):
        saved = sound(bytes(file), conceal=True)
    assert saved.shape == whole.shape
    np.testing.assert_array_equal(saved[-8_000:], whole[-8_000:])


@pytest.mark.parametrize("place", [-1, -2_000], ids=["frequencies", "middle"])
def test_damaged_tables_are_refused(both: Path, tmp_path: Path, place: int) -> None:
    data = bytearray(both.read_bytes())
    data[place] ^= 1
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(data))
    with pytest.raises(ModelMismatch, match="tables for entropy coding cannot be used"):
        coded(path)
    assert main(["bundle", "check", str(path)]) == ExitCode.MODEL


def test_a_claim_of_large_tables_allocates_nothing(both: Path, tmp_path: Path) -> None:
    data = both.read_bytes()
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    head[TENSOR]["data_offsets"][1] = 1 << 40
    text = json.dumps(head).encode()
    path = tmp_path / "claims.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    with pytest.raises(ModelMismatch, match="not bytes, or too many"):
        read_tables(read_bundle_info(path))


def test_tables_for_other_codewords_are_refused(both: Path, tmp_path: Path) -> None:
    sources = (mlcfile.Source(1, 0, np.zeros(513, int)),)
    tables = mlcfile.Tables(sources, np.zeros(32, int), np.zeros(1, int), np.full((1, 512), 128))
    path = tmp_path / "other.safetensors"
    write_with_tables(read_bundle_info(both), tables, path, force=False)
    with pytest.raises(ModelMismatch, match="for 512 codewords, not 1024"):
        coded(path)
