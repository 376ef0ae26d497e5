"""Each stage by itself: front end, quantiser, noise, pitch source, refiner, vocoders, profiles."""

import numpy as np
import pytest
import torch

from melcodec_cli.layers.excitation import pulse_train
from melcodec_cli.layers.hifigan import HifiganVocoder
from melcodec_cli.layers.mel import LogMel, slaney_filters
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.noise import frame_noise
from melcodec_cli.layers.quantiser import Quantiser
from melcodec_cli.layers.settings import ProfileError
from melcodec_cli.systems.fmel.chain import vocoder_for
from melcodec_cli.systems.fmel.config import Profile, VocoderConfig
from melcodec_cli.systems.fmel.harmonic import SPECTRA_AT_ONCE, HarmonicVocoder

NOISE_OF_FRAME_1000 = [1.58541, -1.51782, -0.085979, -0.916797]


def test_mel_has_one_frame_for_each_hop_and_is_exact_for_a_tone() -> None:
    mel = LogMel(MelConfig())
    time_s = torch.arange(1600) / 16000
    frames = mel(torch.sin(2 * torch.pi * 1000 * time_s).unsqueeze(0))
    assert frames.shape == (1, 10, 80)
    band = int(frames[0, 5].argmax())
    filters = slaney_filters(MelConfig())
    assert filters[:, band].argmax() * 16000 / 1024 == pytest.approx(1000, abs=40)


def test_mel_of_digital_silence_is_the_stated_value_in_every_band() -> None:
    mel = LogMel(MelConfig())
    assert torch.allclose(mel(torch.zeros(1, 1600)), torch.tensor(mel.silence))


def test_mel_of_a_piece_equals_that_of_the_whole_outside_the_stated_context() -> None:
    mel = LogMel(MelConfig())
    audio = torch.randn(1, 160 * 40)
    edge = mel.context_frames
    piece = mel(audio[:, 160 * 10 : 160 * 30])[:, edge:-edge]
    assert torch.allclose(piece, mel(audio)[:, 10 + edge : 30 - edge], atol=1e-5)


def test_filters_have_equal_area() -> None:
    filters = slaney_filters(MelConfig(fft_samples=8192, window_samples=640))
    assert np.allclose(filters.sum(0) * 16000 / 8192, 1.0, atol=0.02)


def test_noise_of_a_frame_is_the_same_whatever_range_it_is_drawn_with() -> None:
    whole = frame_noise(1, -5, 50, 80)
    assert np.array_equal(whole[12:20], frame_noise(1, 7, 8, 80))
    assert not np.array_equal(whole[:10], frame_noise(2, -5, 10, 80))


def test_noise_is_standard_normal() -> None:
    noise = frame_noise(2, 0, 4000, 160).astype(np.float64)
    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert (noise**4).mean() == pytest.approx(3, abs=0.1)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.01


def test_noise_never_changes_between_releases() -> None:
    assert np.allclose(frame_noise(1, 1000, 1, 4)[0], NOISE_OF_FRAME_1000, atol=1e-6), (
        "decoded audio of old files would change"
    )


def test_quantiser_finds_the_nearest_codeword_by_angle() -> None:
    torch.manual_seed(0)
    quantiser = Quantiser(6, 32, 4)
    x = torch.randn(2, 5, 6)
    points = torch.nn.functional.normalize(quantiser.project_in(x), dim=-1)
    codebook = torch.nn.functional.normalize(quantiser.codebook, dim=-1)
    by_distance = torch.cdist(points, codebook.expand(2, -1, -1)).argsort(-1)
    assert torch.equal(quantiser.nearest(x, 3), by_distance[..., :3])
    straight, indices, _, _ = quantiser(x)
    assert torch.equal(indices, by_distance[..., 0])
    assert torch.allclose(straight, quantiser.lookup(indices), atol=1e-6)


def test_absent_tokens_are_zeros() -> None:
    quantiser = Quantiser(6, 32, 4)
    looked_up = quantiser.lookup(torch.tensor([[3, -1]]))
    assert looked_up[0, 1].abs().sum() == 0
    assert looked_up[0, 0].abs().sum() > 0


def test_commitment_pulls_the_encoder_and_leaves_the_codebook() -> None:
    quantiser = Quantiser(6, 32, 4)
    x = torch.randn(2, 5, 6, requires_grad=True)
    gradients = []
    for commitment in (0.0, 1.0, 4.0):
        loss = quantiser(x, commitment=commitment)[2]
        gradients.append(torch.autograd.grad(loss, (x, quantiser.codebook), allow_unused=True))
    encoder, codebook = zip(*gradients, strict=True)
    assert encoder[0] is None or not encoder[0].any()
    assert encoder[1].any() and torch.allclose(encoder[2], 4 * encoder[1], rtol=1e-4)
    assert codebook[0].any() and torch.equal(codebook[2], codebook[0])


def test_online_clustering_moves_dead_codewords_and_leaves_busy_ones() -> None:
    quantiser = Quantiser(4, 8, 4)
    before = quantiser.codebook.detach().clone()
    share = torch.zeros(8)
    share[0] = 1.0
    for _ in range(50):
        quantiser.count(share, 0.9)
        quantiser.revive(torch.randn(8, 4), 0.9)
    moved = (quantiser.codebook - before).norm(dim=-1)
    assert moved[0] < 1e-2
    assert (moved[1:] > 0.1).all()


def test_pulse_train_is_the_sum_of_its_harmonics() -> None:
    hertz = torch.full((1, 800), 130.0, dtype=torch.float64)
    phase = torch.cumsum(hertz / 16000, 1)
    harmonics = int(8000 // 130)
    order = torch.arange(1, harmonics + 1, dtype=torch.float64)
    sum_of_cosines = torch.cos(2 * torch.pi * phase.unsqueeze(-1) * order).sum(-1) * (2 / harmonics) ** 0.5
    assert torch.allclose(pulse_train(phase, hertz, 16000), sum_of_cosines.float(), atol=1e-4)


def test_vocoder_spectra_add_up_to_the_signal_that_they_were_cut_from() -> None:
    vocoder = HarmonicVocoder(MelConfig(), VocoderConfig(width=8, blocks=1)).requires_grad_(False)
    vocoder.head.weight.zero_()  # neither louder nor turned
    vocoder.head.bias.zero_()
    frames = 2 * SPECTRA_AT_ONCE + 44  # made in three parts
    signal = torch.randn(1, 160 * frames)
    mel, pitch_hz, voicing = torch.zeros(1, frames, 80), torch.full((1, frames), 100.0), torch.ones(1, frames)
    made = vocoder(mel, pitch_hz, voicing, signal, torch.zeros_like(signal))
    inside = slice(640, -640)
    assert made.shape == signal.shape
    assert torch.allclose(made[:, inside], signal[:, inside], atol=1e-5)


@pytest.mark.parametrize("strides, kernels", [((5, 4, 4, 2), (11, 8, 8, 4)), ((10, 4, 4), (20, 8, 8))])
def test_hifigan_makes_exactly_a_hop_for_each_frame(
    strides: tuple[int, ...], kernels: tuple[int, ...]
) -> None:
    config = VocoderConfig(
        name="hifigan", upsample_strides=strides, upsample_kernels=kernels, upsample_width=32
    )
    vocoder = vocoder_for(Profile(vocoder=config, pitch=None))
    assert isinstance(vocoder, HifiganVocoder)
    assert vocoder(torch.randn(2, 13, 80)).shape == (2, 13 * 160)


def test_profile_survives_json() -> None:
    import json

    profile = Profile()
    assert Profile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile


@pytest.mark.parametrize(
    "values, named",
    [
        ({"chunk_tokens": 0}, "chunk_tokens"),
        ({"chunk_tokens": "many"}, "chunk_tokens"),
        ({"colour": 1}, "colour"),
        ({"mel": {"high_hz": 9000.0}}, "high_hz"),
        ({"vocoder": {"name": "wavenet"}}, "wavenet"),
        ({"pitch": None}, "pitch"),
        (
            {"vocoder": {"name": "hifigan", "upsample_strides": [5, 4, 4, 1]}},
            "upsample_strides must be mel.hop",
        ),
    ],
    ids=[
        "zero",
        "text",
        "unknown",
        "above half the rate",
        "unknown vocoder",
        "harmonic without pitch",
        "no hop",
    ],
)
def test_profile_error_names_the_invalid_setting(values: dict[str, object], named: str) -> None:
    with pytest.raises(ProfileError, match=named):
        Profile.from_dict(values)
