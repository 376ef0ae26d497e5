"""The patch codec is trained, packed and used like any other system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from melcodec_cli.cli import main
from melcodec_cli.train.presets import preset_text
from melcodec_cli.train.texture import Texture
from tests.train.tiny import rows

pytestmark = pytest.mark.slow

EVERY_LOSS = """
[stages.tokenizer.losses]
texture = 0.1
adversary = 0.1
adversary_from = 0.3

[stages.vocoder.losses]
envelope = 0.1
adversary = 0.1
adversary_from = 0.3
"""


@pytest.fixture(scope="module")
def patch_run(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pyworld", reason="training needs the extra train")
    folder = tmp_path_factory.mktemp("patch")
    preset = folder / "tiny-patch.toml"
    preset.write_text(
        (preset_text("tiny-patch") + EVERY_LOSS).replace("minutes =", "log_steps = 1\nminutes =")
    )
    arguments = ["--preset", str(preset), "--data", str(speech), "--run", str(folder), "--steps", "6"]
    assert main(["train", "all", *arguments, "--device", "cpu"]) == 0
    return folder


def test_what_was_trained_codes(patch_run: Path, speech: Path, tmp_path: Path) -> None:
    bundle = str(patch_run / "tiny-patch.safetensors")
    coded, decoded = tmp_path / "a.mlc", tmp_path / "a.wav"
    assert main(["compress", str(speech / "s5" / "a.wav"), str(coded), "--bundle", bundle]) == 0
    assert main(["decompress", str(coded), str(decoded), "--bundle", bundle]) == 0
    audio, rate_hz = soundfile.read(decoded)
    assert rate_hz == 16000 and len(audio) == 32000
    assert np.abs(audio).max() > 1e-3


def test_every_loss_counts_and_the_codebook_is_used(patch_run: Path) -> None:
    [*_, last] = rows(patch_run / "tokenizer" / "log.csv")
    assert {"texture", "envelope", "balance", "adversary", "perplexity"} <= last.keys()
    assert float(last["balance"]) > 0
    assert float(last["perplexity"]) > 2
    [*_, last] = rows(patch_run / "vocoder" / "log.csv")
    assert {"spectrum", "envelope", "features", "coded_mel_l1"} <= last.keys()


def test_the_vocoder_is_refused_without_what_it_hears(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--preset", "tiny-patch", "--data", str(speech), "--run", str(tmp_path), "--steps", "1"]
    assert main(["train", "vocoder", *arguments]) == 2
    assert "train the tokenizer first" in capsys.readouterr().err


def test_texture_tells_a_blurred_mel_from_another_sample_of_the_same_kind() -> None:
    torch.manual_seed(1)
    real, other = torch.randn(2, 4, 64, 80)
    blurred = torch.nn.functional.avg_pool2d(real.unsqueeze(1), 3, 1, 1).squeeze(1)
    texture = Texture()
    assert texture(real, real) == 0
    assert texture(blurred, real) > 3 * texture(other, real)
