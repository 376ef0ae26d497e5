"""The bound on the vocoder holds, and a command prints it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.layers.lipschitz import spectral_norm
from melcodec_cli.models.bundle import save_bundle
from melcodec_cli.systems.meltok.meltok import Meltok
from melcodec_cli.systems.meltok.vocoder import MelEar
from tests.meltok.small import small_meltok

pytestmark = pytest.mark.slow


def test_a_spectral_norm_is_the_most_by_which_a_matrix_lengthens() -> None:
    turned, _ = torch.linalg.qr(torch.randn(5, 5))
    assert spectral_norm(3 * turned) == pytest.approx(3)
    assert spectral_norm(torch.diag(torch.tensor([1.0, -7.0, 2.0]))) == pytest.approx(7)


def heard(meltok: Meltok, seed: int) -> torch.Tensor:
    """What a vocoder's ear may hear, anything at all, at a random place of a stream."""
    return torch.randn(1, 16, 96, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_sounds_are_no_farther_apart_than_the_bound_says() -> None:
    meltok = small_meltok()
    vocoder = meltok.vocoder
    assert isinstance(vocoder.ear, MelEar)
    most = 10 ** sum(meltok.bounds().values())
    numbers = torch.arange(8).unsqueeze(0)
    seen = 0.0
    for seed in range(20):
        one, step = heard(meltok, seed), 10.0 ** -(seed % 5) * heard(meltok, 100 + seed)
        sounds = [vocoder(vocoder.ear(mel), numbers) for mel in (one, one + step)]
        seen = max(seen, float((sounds[1] - sounds[0]).norm() / step.norm()))
    assert 1e-3 < seen < most


@torch.no_grad()
def test_each_step_of_the_bound_grows_with_its_weights() -> None:
    meltok = small_meltok("tokens")
    before = meltok.bounds()
    for step, part in (("ear", meltok.vocoder.ear.widen), ("head", meltok.vocoder.head)):
        part.weight *= 10
        assert meltok.bounds()[step] == pytest.approx(before[step] + 1)


def test_the_command_prints_the_steps_and_their_product(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.safetensors"
    save_bundle(small_meltok(), path, "small", "CC0-1.0", {})
    assert main(["bundle", "bound", str(path)]) == ExitCode.OK
    told = dict(line.split() for line in capsys.readouterr().out.splitlines())
    powers = {step: float(value.removeprefix("10^")) for step, value in told.items()}
    whole = powers.pop("bound")
    assert whole == pytest.approx(sum(powers.values()), abs=0.5) and np.isfinite(whole)
    assert main(["bundle", "bound", str(tiny_bundle)]) == ExitCode.USAGE
    assert "no bound is known for models of the system fmel" in capsys.readouterr().err
