"""Samples without a header, in and out."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlcfile import Reader

from melcodec_cli.cli import main
from tests.sounds import noise


def test_raw_samples_in_and_out(
    folder: Path, feed: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    feed(np.zeros(2 * 8000, ">i2").tobytes())
    raw = ["--raw", "--raw-rate", "8000", "--raw-channels", "2", "--raw-format", "s16be"]
    assert main(["compress", *raw, "-", "a.mlc"]) == 0
    capfdbinary.readouterr()
    assert main(["decompress", "-q", "--raw", "--subtype", "f32le", "a.mlc", "-"]) == 0
    assert len(capfdbinary.readouterr().out) == 8000 * 2 * 4
    assert main(["decompress", "a.mlc", "a.raw"]) == 0
    assert (folder / "a.raw").stat().st_size == 8000 * 2 * 2


def test_raw_samples_are_described_alike_both_ways(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    described = ["--raw", "--rate", "8000", "--channels", "2", "--format", "S16_BE"]
    Path("a.pcm").write_bytes((noise(1, 8000, 2) * 32767).astype(">i2").tobytes())
    assert main(["compress", *described, "a.pcm", "a.mlc"]) == 0
    header = Reader(io.BytesIO(Path("a.mlc").read_bytes())).header
    assert (header.rate_hz, header.channels, header.samples) == (8000, 2, 8000)
    capfdbinary.readouterr()
    assert main(["decompress", "-q", *described, "a.mlc", "-"]) == 0
    samples = np.frombuffer(capfdbinary.readouterr().out, ">i2").reshape(-1, 2)
    assert len(samples) == 8000 and (samples[:, 0] == samples[:, 1]).all() and samples.any()
