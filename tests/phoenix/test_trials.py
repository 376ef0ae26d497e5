"""Frames that are coded by what they would sound like, without waiting for others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from melcodec_cli.layers.memory import Memory
from melcodec_cli.systems.phoenix.harmonic import HarmonicDecoder
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.span import Span
from tests.phoenix.systems import PROFILES, lively, random_indices, speechlike

FRAMES = 24


@pytest.fixture(scope="module", params=["harmonic", "harmonic at 16 kHz"])
def system(request: pytest.FixtureRequest) -> Phoenix:
    return lively(PROFILES[request.param])


def live(system: Phoenix, effort: int, rows: int = 6, pieces: int = 37) -> np.ndarray:
    audio = speechlike(FRAMES * system.profile.hop_samples)
    session = system.open_encoder(rows, {"effort": effort})
    found = [session.push(piece) for piece in np.array_split(audio, pieces)]
    return np.concatenate([*found, session.flush()])


@torch.inference_mode()
def distance(system: Phoenix, indices: np.ndarray) -> float:
    """How far the decoded frames are from the recording, in loudness."""
    audio = torch.from_numpy(speechlike(FRAMES * system.profile.hop_samples))[None]
    spectrum, trials, decoder = system.codec.encoder.spectrum, system.search.trials, system.codec.decoder
    assert isinstance(decoder, HarmonicDecoder)
    made = decoder.spectra(system.codec.quantiser.lookup(torch.from_numpy(indices)[None]))
    wanted = spectrum.power(spectrum(audio))
    one, other = (trials.loudness(power) for power in (made.abs().square(), wanted))
    # What is louder than without indices is noise to the networks, and is not asked for.
    free = decoder.spectra(system.codec.quantiser.unquantised(system.codec.encoder(audio)))
    other = torch.minimum(other, 1.3 * trials.loudness(free.abs().square()))
    return float((one - other).square().mean())


@pytest.mark.parametrize("rows", [6, 1])
def test_more_effort_sounds_nearer(system: Phoenix, rows: int) -> None:
    least, some, most = (distance(system, live(system, effort, rows)) for effort in (1, 2, 4))
    assert most < some < least


def test_pieces_of_any_length_give_what_a_file_of_one_chunk_has(system: Phoenix) -> None:
    audio = speechlike(FRAMES * system.profile.hop_samples)
    [codes] = system.encode([audio], [Span(0, FRAMES, 0)], {"effort": 2})
    assert np.array_equal(live(system, 2), codes.indices)
    assert np.array_equal(live(system, 2, pieces=FRAMES * 3), codes.indices)
    # Not exactly: with fewer rows others are chosen for what they sound like without the rest.
    [cut] = system.encode([audio], [Span(0, FRAMES, 0)], {"effort": 2}, [2])
    assert np.array_equal(live(system, 2, rows=2), cut.indices[:, :2])
    assert not np.array_equal(cut.indices[:, :2], codes.indices[:, :2])


def test_two_is_what_a_stream_has_by_default(system: Phoenix) -> None:
    [option] = system.live_options
    assert option.name == "effort" and option.default == 2
    audio = speechlike(FRAMES * system.profile.hop_samples)
    assert np.array_equal(system.open_encoder(6, {}).push(audio), live(system, 2))


def test_decoders_without_spectra_cannot_try() -> None:
    for name in ("time", "istft"):
        other = lively(PROFILES[name])
        assert not other.live_options
        audio = speechlike(5 * other.profile.hop_samples)
        nearest = other.open_encoder(6, {"effort": 1}).push(audio)
        assert np.array_equal(other.open_encoder(6, {}).push(audio), nearest)


def test_each_of_the_nearest_in_the_first_stage_is_followed_by_the_nearest(system: Phoenix) -> None:
    quantiser = system.codec.quantiser
    x = torch.randn(3, quantiser.width)
    tried = quantiser.alternatives(x, 4, quantiser.columns())
    assert tried.shape == (3, 4, 6)
    assert torch.equal(tried[:, 0], quantiser(x[:, None]).indices[:, 0])
    left = x[:, None].expand(-1, 4, -1)
    for stage, codebook in enumerate(quantiser.codebooks):
        point = quantiser._normalised(stage, quantiser.project_in[stage](left))
        distance = torch.cdist(point, codebook)
        if stage == 0:
            assert torch.equal(tried[..., 0], distance[:, 0].argsort(-1)[:, :4])
        else:
            assert torch.equal(tried[..., stage], distance.argmin(-1))
        left = left - quantiser.project_out[stage](codebook[tried[..., stage]])


def test_a_small_codebook_has_no_more_codewords_to_try() -> None:
    profile = PROFILES["harmonic"]
    small = dataclasses.replace(profile, quantiser=dataclasses.replace(profile.quantiser, codewords=4))
    assert live(lively(small), 8, 1).shape == (FRAMES, 1)


@torch.inference_mode()
def test_a_branch_of_a_memory_goes_on_as_if_it_had_been_alone(system: Phoenix) -> None:
    decoder, lookup = system.codec.decoder, system.codec.quantiser.lookup
    past, futures = (
        torch.from_numpy(random_indices(8)).unflatten(0, (2, 4)),
        torch.from_numpy(random_indices(6)),
    )
    memory = Memory()
    decoder(lookup(past), memory)
    branched = memory.branched(2, 3)
    decoder(lookup(futures[:, None]), branched)
    followed = branched.followed(3, torch.tensor([2, 0]))
    made = decoder(lookup(past[:, :2]), followed)
    for row, future in ((0, 2), (1, 3)):
        alone = Memory()
        joined = torch.cat([past[row], futures[future][None]])[None]
        decoder(lookup(joined), alone)
        assert torch.allclose(decoder(lookup(past[row : row + 1, :2]), alone)[0], made[row], atol=1e-5)
