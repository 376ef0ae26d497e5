"""How hard a live encoder tries."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

import melcodec_cli
from melcodec_cli.api import models_for
from melcodec_cli.cli import main
from melcodec_cli.errors import UsageProblem
from tests.phoenix.systems import PROFILES, lively

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a model that can try several codings of a frame."""
    from melcodec_cli.models.bundle import save_bundle

    path = tmp_path_factory.mktemp("trying") / "trying.safetensors"
    save_bundle(lively(PROFILES["harmonic"]), path, "trying", "CC0-1.0", {})
    return path


def compressed(trying: Path, *options: str) -> bytes:
    assert (
        main(["compress", "-q", "-f", "--live", *options, "--bundle", str(trying), "talk.wav", "talk.mlc"])
        == 0
    )
    return Path("talk.mlc").read_bytes()


def test_streams_have_two_by_default_and_one_is_the_nearest(home: Path, trying: Path) -> None:
    streams = [compressed(trying, *options) for options in ([], *(["--effort", n] for n in "123"))]
    assert streams[0] == streams[2]
    assert len(set(streams)) == 3 and len({len(stream) for stream in streams}) == 1
    for stream in streams:
        Path("some.mlc").write_bytes(stream)
        assert (
            main(["decompress", "-q", "-f", "--live", "--bundle", str(trying), "some.mlc", "some.wav"]) == 0
        )


def test_from_python(home: Path, trying: Path, talk: NDArray[np.float32]) -> None:
    for effort in (None, 3):
        encoder = melcodec_cli.open_encoder(24_000, effort=effort, bundle=str(trying))
        options = [] if effort is None else ["--effort", str(effort)]
        frames = np.split(talk, range(288, len(talk), 288))  # as the command reads them
        sent = b"".join(map(encoder.push, frames)) + encoder.finish()
        assert sent == compressed(trying, *options)
    with pytest.raises(UsageProblem, match="effort 9: must be 1 to 8 for trying"):
        melcodec_cli.open_encoder(24_000, effort=9, bundle=str(trying))
    models_for.cache_clear()


@pytest.mark.parametrize("slowness", [0, 10_000])
def test_a_machine_that_cannot_keep_up_is_told_of_once(
    slowness: int, home: Path, trying: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    slow = SimpleNamespace(perf_counter=lambda: slowness * time.perf_counter())
    monkeypatch.setattr("melcodec_cli.codec.live.time", slow)
    monkeypatch.setattr("melcodec_cli.codec.live_conversion.JUDGED_PACKETS", 10)
    arguments = ["--live", "--packet-frames", "2", "--bundle", str(trying), "talk.wav", "talk.mlc"]
    assert main(["compress", *arguments]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "too slow" in line]
    if slowness == 0:
        assert not told
    else:
        (line,) = told
        assert "talk.wav: this machine is too slow" in line
        assert "ms to compress 24 ms, so the delay grows; --effort 1 takes the least" in line
