"""A handful of tone clips, and the stages that they train."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from melcodec_cli.cli import main
from tests.train.tiny import EVERY_LOSS, tiny_preset


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six voices of two seconds: gliding buzzes through changing filters, so that pitch and spectrum move."""
    folder = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(1)
    for speaker in range(6):
        (folder / f"s{speaker}").mkdir()
        pitch_hz = 100 + 30 * speaker + 20 * np.sin(np.arange(32000) / 4000)
        phase = np.cumsum(pitch_hz / 16000)
        buzz = sum(np.cos(2 * np.pi * k * phase) / k for k in range(1, 20))
        syllables = np.repeat(rng.uniform(0.05, 1, 20), 1600)
        soundfile.write(folder / f"s{speaker}" / "a.wav", 0.1 * buzz * syllables, 16000)
    (folder / "s0" / "broken.wav").write_bytes(b"RIFF nothing")
    (folder / "manifest.csv").write_text(
        "path,source,speaker,licence,split,text\n"
        + "".join(
            f"s{i}/a.wav,tones,s{i},CC0-1.0,{'dev' if i == 5 else 'train'},Tone {'abcdef'[i]}.\n"
            for i in range(6)
        )
        + "s0/broken.wav,tones,s0,CC0-1.0,train,\n"
    )
    return folder


@pytest.fixture(scope="session")
def run(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every stage trained for eight steps, and the bundle."""
    pytest.importorskip("pyworld", reason="training needs the extra train")
    folder = tmp_path_factory.mktemp("run")
    preset = folder / "tiny.toml"
    preset.write_text(tiny_preset() + EVERY_LOSS)
    arguments = ["--preset", str(preset), "--data", str(speech), "--run", str(folder), "--steps", "8"]
    assert main(["train", "all", *arguments, "--device", "cpu"]) == 0
    return folder
