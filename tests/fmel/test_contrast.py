"""Spectral contrast deepens peaks and valleys, and leaves flat spectra and refined mels alone."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from melcodec_cli.models.bundle import load_bundle
from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.systems.fmel.contrast import Contrast
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Codes

SILENCE, FLAT = -11.5, torch.zeros(80)


def test_an_amount_of_one_changes_nothing() -> None:
    mel = torch.randn(4, 80)
    assert torch.allclose(Contrast(80, 1.0, SILENCE)(mel, FLAT), mel)


@pytest.mark.parametrize("level", [SILENCE, SILENCE + 0.5, -4.0])
def test_a_flat_spectrum_stays_as_it_is(level: float) -> None:
    flat = torch.full((1, 5, 80), level)
    assert torch.allclose(Contrast(80, 1.5, SILENCE)(flat, FLAT), flat, atol=1e-4)


def test_the_band_edge_of_a_narrow_recording_is_no_peak() -> None:
    narrow = torch.full((1, 5, 80), -4.0)
    narrow[..., 50:] = SILENCE
    assert torch.allclose(Contrast(80, 1.5, SILENCE)(narrow, FLAT), narrow, atol=1e-4)


def test_peaks_grow_by_the_amount_and_stay_in_place() -> None:
    bands = torch.arange(80)
    hills = torch.cos(bands * 2 * torch.pi / 10)  # much narrower than what is smoothed over
    sharper = Contrast(80, 1.3, SILENCE)(hills, FLAT)
    assert torch.allclose(sharper[20:60], 1.3 * hills[20:60], atol=0.02)


def loaded(bundle: Path) -> Chain:
    chain = load_bundle(bundle, "cpu").system
    assert isinstance(chain, Chain)
    return chain


def deepened(plain: Chain) -> Chain:
    deep = Chain(
        dataclasses.replace(plain.profile, vocoder=dataclasses.replace(plain.profile.vocoder, contrast=1.5))
    )
    deep.load_state_dict(plain.state_dict())
    return deep


def test_the_spectrum_of_all_speech_stays_as_it_is_at_any_level(tiny_bundle: Path) -> None:
    chain = deepened(loaded(tiny_bundle))
    chain.coder.mean.copy_(torch.cos(torch.arange(len(chain.coder.mean)) / 3))
    usual = (chain.coder.mean - 3).expand(1, 5, -1)
    assert torch.allclose(chain.contrast(usual, chain.coder.mean), usual, atol=1e-4)


def test_only_mels_that_were_not_refined_get_contrast(tiny_bundle: Path) -> None:
    plain = loaded(tiny_bundle)
    deep = deepened(plain)
    codes = Codes(np.arange(20)[:, None], np.zeros((20, 8), np.int64))

    def decoded(chain: Chain, steps: int) -> NDArray[np.float32]:
        return chain.decode([codes], [Span(0, 20, 0)], {"steps": steps})[0]

    assert not np.allclose(decoded(plain, 0), decoded(deep, 0))
    assert np.array_equal(decoded(plain, 1), decoded(deep, 1))
