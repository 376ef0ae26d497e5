"""A chain of random weights, small enough to run in no time, for everything but the sound of it."""

from pathlib import Path

import pytest

from .codec.sounds import noise, wav


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chunks of 1.6 s; random weights, but loud enough for every sample of the field to matter."""
    import torch

    from melcodec_cli.bundle import save_bundle
    from melcodec_cli.chain.chain import Chain
    from melcodec_cli.chain.profile import (
        CoderConfig,
        PitchConfig,
        Profile,
        RefinerConfig,
        TimbreConfig,
        VocoderConfig,
    )

    profile = Profile(
        name="speech-16k",
        coder=CoderConfig(half_width=16, token_width=24, frame_width=16),
        timbre=TimbreConfig(values=8, width=16, blocks=1),
        refiner=RefinerConfig(width=16, dilations=(1, 2)),
        pitch=PitchConfig(bins=32, width=16, blocks=2),
        vocoder=VocoderConfig(width=16, blocks=2),
        chunk_tokens=40,
    )
    torch.manual_seed(1)
    chain = Chain(profile)
    chain.coder.mean.fill_(-4.0)
    path = tmp_path_factory.mktemp("bundles") / "tiny.safetensors"
    save_bundle(chain, path, profile.name, "CC0-1.0", {})
    return path


@pytest.fixture
def only_tiny_bundle(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny bundle is all that is installed."""
    monkeypatch.setattr("melcodec_cli.installed.bundle_folders", lambda: [tiny_bundle.parent])
    return tiny_bundle


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only_tiny_bundle: Path) -> Path:
    """The current folder, with a recording of two seconds in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(wav(noise(2)))
    return tmp_path
