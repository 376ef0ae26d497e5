"""A live model of random weights, the only one that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from melcodec_cli.api import models_for
from tests.phoenix.systems import PROFILES, lively, speechlike
from tests.sounds import wav

RATE_HZ = 24_000


@pytest.fixture(scope="session")
def live_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quicker decoder: 12 ms a frame, six stages of 6 bits."""
    from melcodec_cli.models.bundle import save_bundle

    path = tmp_path_factory.mktemp("live") / "small-live.safetensors"
    save_bundle(lively(PROFILES["istft"]), path, "small-live", "CC0-1.0", {})
    return path


@pytest.fixture
def talk() -> NDArray[np.float32]:
    """Not quite a whole number of frames, and more than one chunk."""
    return speechlike(RATE_HZ * 6 // 10 - 77)


@pytest.fixture
def home(
    tmp_path: Path,
    live_bundle: Path,
    tiny_bundle: Path,
    talk: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """The current folder, with a recording of talk in it; this bundle is installed, and the usual tiny one."""
    folders = [tiny_bundle.parent, live_bundle.parent]
    monkeypatch.setattr("melcodec_cli.models.installed.bundle_folders", lambda: folders)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(wav(talk, RATE_HZ))
    models_for.cache_clear()
    yield tmp_path
    models_for.cache_clear()  # they are not those of other tests
