"""The model that is part of the package, on the recording that is."""

import io
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile
from mlcfile import Reader
from numpy.typing import NDArray

import melcodec_cli
from melcodec_cli.clip import CLIP
from melcodec_cli.codec.models import DEFAULT_BUNDLE
from melcodec_cli.installed import installed_bundles

from .sounds import Pipe, indices_of, wav

Audio = NDArray[np.float32]

pytestmark = pytest.mark.skipif(
    not any(bundle.name == DEFAULT_BUNDLE for bundle in installed_bundles()),
    reason="no bundle has been trained",
)


@pytest.fixture(scope="module")
def speech() -> Audio:
    return np.asarray(soundfile.read(CLIP, dtype="float32")[0])


@pytest.fixture(scope="module")
def coded(speech: Audio) -> bytes:
    data: bytes = melcodec_cli.compress(speech, rate_hz=16000)
    return data


def test_ten_seconds_take_at_most_360_bytes_of_which_313_are_indices(coded: bytes) -> None:
    assert len(coded) <= 360
    [(indices, _)] = indices_of(coded)
    assert -(-len(indices) * 10 // 8) == 313


def test_decoded_speech_rises_and_falls_with_the_original(speech: Audio, coded: bytes) -> None:
    decoded, rate_hz = melcodec_cli.decompress(coded)
    assert (decoded.shape, rate_hz) == (speech.shape, 16000)
    assert np.corrcoef(loudness_db(speech), loudness_db(decoded))[0, 1] > 0.9
    assert abs(loudness_db(speech).max() - loudness_db(decoded).max()) < 6


def loudness_db(audio: Audio) -> Audio:
    """Of every 20 ms."""
    power = np.square(audio.astype(np.float64)).reshape(-1, 320).mean(axis=1)
    return np.asarray(10 * np.log10(power + 1e-6))


def test_a_long_recording_is_the_same_from_a_file_and_a_pipe_and_in_part(speech: Audio) -> None:
    long = np.tile(speech, 5)
    from_file = melcodec_cli.compress(io.BytesIO(wav(long)))
    from_pipe = melcodec_cli.compress(cast(BinaryIO, Pipe(wav(long))))
    assert indices_of(from_file) == indices_of(from_pipe)
    assert Reader(io.BytesIO(from_file)).header.chunks == 3
    whole, _ = melcodec_cli.decompress(from_file)
    part, _ = melcodec_cli.decompress(from_file, start_s=19.5, end_s=20.5)
    np.testing.assert_allclose(part, whole[312_000:328_000], rtol=0, atol=1e-5)


def test_speech_is_coded_the_same_beside_something_else(speech: Audio) -> None:
    """In one file of two channels both go through the model side by side."""
    other = speech[::-1]
    both = melcodec_cli.compress(np.stack([other, speech], axis=1), rate_hz=16000, keep_channels=True)
    alone = melcodec_cli.compress(speech, rate_hz=16000)
    [(indices, globals_)], [(indices_alone, globals_alone)] = indices_of(both), indices_of(alone)
    assert indices[250:] == indices_alone
    assert globals_[len(globals_alone) :] == globals_alone
