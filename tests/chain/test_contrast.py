"""Spectral contrast deepens hills and valleys, and leaves level, tilt-free spectra and silence alone."""

import torch

from melcodec_cli.chain.contrast import contrast_matrix


def test_an_amount_of_one_changes_nothing() -> None:
    assert torch.allclose(contrast_matrix(80, 1.0), torch.eye(80))


def test_a_flat_spectrum_stays_as_it_is() -> None:
    flat = torch.full((1, 5, 80), -11.5)
    assert torch.allclose(flat @ contrast_matrix(80, 1.5), flat, atol=1e-4)


def test_hills_grow_by_the_amount_and_stay_where_they_are() -> None:
    bands = torch.arange(80)
    hills = torch.cos(bands * 2 * torch.pi / 10)  # much narrower than what is smoothed over
    sharper = hills @ contrast_matrix(80, 1.3)
    assert torch.allclose(sharper[20:60], 1.3 * hills[20:60], atol=0.02)
