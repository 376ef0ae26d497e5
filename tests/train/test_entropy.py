"""Tables made from indices: they save what the neighbours tell, and are the same on every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mlcfile import Layout, pack_tables
from numpy.typing import NDArray

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.train.entropy import coded_bytes, in_integers, make_and_measure, make_tables

pytestmark = pytest.mark.slow

CODEWORDS = 64


def walks(seed: int, rows: int, clips: int = 20) -> list[NDArray[np.int64]]:
    """Indices that lie near the one before them, and near the one below."""
    random = np.random.default_rng(seed)
    steps = random.integers(-2, 3, (clips, 100, rows))
    return list((np.cumsum(np.cumsum(steps, 1), 2) + random.integers(0, 2, (clips, 1, 1))) % CODEWORDS)


@pytest.mark.parametrize("rows", [1, 4], ids=["a line", "a column"])
def test_what_neighbours_tell_is_saved(rows: int) -> None:
    layout = Layout(6, rows, "column", 16_000, 640, 100)
    tables, saving = make_and_measure(walks(1, rows), walks(2, rows), CODEWORDS, layout)
    assert saving.percent > 15
    assert (saving.train_indices, saving.dev_indices) == (20 * 100 * rows, 20 * 100 * rows)
    assert saving.coded_bytes == coded_bytes(tables, walks(2, rows), layout)
    assert f"saves {saving.percent:.1f} %" in str(saving)
    assert [(source.frames, source.rows) for source in tables.sources] == (
        [(1, 0), (2, 0)] if rows == 1 else [(1, 0), (0, 1)]
    )


def test_nothing_is_lost_where_nothing_can_be_told() -> None:
    random = np.random.default_rng(3)
    train, dev = ([random.integers(0, CODEWORDS, (100, 4)) for _ in range(10)] for _ in range(2))
    _, saving = make_and_measure(train, dev, CODEWORDS, Layout(6, 4, chunk_frames=100))
    assert saving.percent == 0


@pytest.mark.parametrize("clips", [1, 2])
def test_a_clip_or_two_are_enough_to_make_tables(clips: int) -> None:
    assert make_tables(walks(1, 4, clips), CODEWORDS).codewords == CODEWORDS


def test_the_same_indices_make_the_same_tables() -> None:
    assert pack_tables(make_tables(walks(1, 4), CODEWORDS)) == pack_tables(
        make_tables(walks(1, 4), CODEWORDS)
    )


def test_frequencies_are_at_least_one_and_sum_up() -> None:
    shares = np.random.default_rng(0).dirichlet(np.full(1_000, 0.01), 20).astype(np.float32)
    frequencies = in_integers(shares)
    assert frequencies.min() >= 1 and (frequencies.sum(1) == 65_536).all()


def test_a_bundle_gets_tables_if_they_save_enough(
    tiny_bundle: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "tabled.safetensors"
    command = ["bundle", "tables", str(tiny_bundle), "--data", str(speech), "-o", str(target)]
    command += ["--minutes", "0.05"]
    assert main([*command, "--least-percent", "100"]) == ExitCode.USAGE
    assert not target.exists()
    assert "no bundle was written, as the tables save less than 100 %" in capsys.readouterr().err
    assert main([*command, "--least-percent", "0"]) == ExitCode.OK
    assert "bits each, which saves" in capsys.readouterr().out
    assert read_bundle_info(target).tables_id is not None
    assert main(["bundle", "check", str(target)]) == ExitCode.OK
    assert main(command) == ExitCode.OUTPUT
