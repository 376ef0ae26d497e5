"""A chain of random weights, small enough to run in no time, for everything but the sound of it; standard input."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.sounds import noise, wav

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

# Tests may be skipped for these reasons alone where everything that they need can be installed.
ALLOWED_SKIPS = (
    "this file system is one that ignores case",
    "not on this processor",
)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With MELCODEC_NO_SKIPS a test that was skipped for another reason fails the run."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("MELCODEC_NO_SKIPS") or terminal is None or hasattr(session.config, "workerinput"):
        return
    reasons = {report.nodeid: str(report.longrepr) for report in terminal.stats.get("skipped", [])}
    unwanted = {test: why for test, why in reasons.items() if not any(each in why for each in ALLOWED_SKIPS)}
    for test, why in unwanted.items():
        terminal.write_line(f"skipped: {test}: {why}")
    if unwanted:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chunks of 1.6 s; random weights, but loud enough for every sample of the field to matter."""
    path = tmp_path_factory.mktemp("bundles") / "tiny.safetensors"
    write_tiny_bundle(path)
    return path


@pytest.fixture(scope="session")
def tiny_48k_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its sister at 48 kHz, with chunks of 1.6 s, too; another licence."""
    path = tmp_path_factory.mktemp("bundles") / "tiny-48k.safetensors"
    write_tiny_bundle(path, "speech-48k", 48000, "CC BY-NC-SA 4.0")
    return path


def write_tiny_bundle(
    path: Path, name: str = "speech-16k", rate_hz: int = 16000, licence: str = "CC0-1.0", seed: int = 1
) -> None:
    """seed: of the weights, which another one gives other ids."""
    import torch

    from melcodec_cli.models.bundle import save_bundle
    from melcodec_cli.systems.fmel.chain import Chain
    from melcodec_cli.systems.fmel.config import (
        CoderConfig,
        MelConfig,
        PitchConfig,
        Profile,
        RefinerConfig,
        TimbreConfig,
        VocoderConfig,
    )

    profile = Profile(
        name=name,
        mel=MelConfig(rate_hz=rate_hz, high_hz=rate_hz / 2),
        coder=CoderConfig(half_width=16, token_width=24, frame_width=16),
        timbre=TimbreConfig(values=8, width=16, blocks=1),
        refiner=RefinerConfig(width=16, dilations=(1, 2)),
        pitch=PitchConfig(bins=32, width=16, blocks=2),
        vocoder=VocoderConfig(width=16, blocks=2),
        chunk_tokens=rate_hz // 400,
    )
    torch.manual_seed(seed)
    chain = Chain(profile)
    chain.coder.mean.fill_(-4.0)
    save_bundle(chain, path, name, licence, {})


@pytest.fixture
def only_tiny_bundle(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny bundle is all that is installed."""
    monkeypatch.setattr("melcodec_cli.models.installed.bundle_folders", lambda: [tiny_bundle.parent])
    return tiny_bundle


@pytest.fixture(scope="session")
def tabled_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with tables for entropy coding, which expect what its coder makes of noise."""
    import io

    import numpy as np
    from mlcfile import Reader, Source, Tables

    import melcodec_cli
    from melcodec_cli.models.installed import read_bundle_info
    from melcodec_cli.models.tables import write_with_tables

    coded = melcodec_cli.compress(wav(noise(20)), bundle=str(tiny_bundle))
    indices = np.concatenate([chunk.indices[0, :, 0] for chunk in Reader(io.BytesIO(coded))])
    counts = np.bincount(indices, minlength=1024)
    frequencies = 1 + counts * (65536 - 1024) // counts.sum()
    frequencies[counts.argmax()] += 65536 - frequencies.sum()
    tables = Tables(
        (Source(1, 0, np.zeros(1025, int)),), np.zeros(32, int), np.zeros(1, int), frequencies[None]
    )
    path = tmp_path_factory.mktemp("bundles") / "tiny.safetensors"
    write_with_tables(read_bundle_info(tiny_bundle), tables, path, force=False)
    return path


@pytest.fixture
def user_bundles(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of bundles, which is not there yet; the tiny bundle is the one that comes with melcodec."""
    monkeypatch.setattr("melcodec_cli.models.installed.OWN_FOLDER", tiny_bundle.parent)
    monkeypatch.setattr("melcodec_cli.models.installed.PUBLISHED_FOLDER", tiny_bundle.parent / "none")
    monkeypatch.setattr("melcodec_cli.models.installed.PUBLISHED", ())
    monkeypatch.delenv("MELCODEC_BUNDLES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "melcodec" / "bundles"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only_tiny_bundle: Path) -> Path:
    """The current folder, with a recording of two seconds in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(wav(noise(2)))
    return tmp_path


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Gives the program its standard input."""

    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give
