"""The shipped models, tested on the shipped recording."""

import io
import math
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile
import soxr
from mlcfile import Reader
from numpy.typing import NDArray

import melcodec_cli
from melcodec_cli.evaluate.clip import CLIP
from melcodec_cli.models.choose import DEFAULT_BUNDLE
from melcodec_cli.models.installed import (
    OWN_FOLDER,
    PUBLISHED_FOLDER,
    BundleInfo,
    installed_bundles,
    read_bundle_info,
)
from tests.sounds import Pipe, indices_of, wav

Audio = NDArray[np.float32]
SHIPPED = [
    read_bundle_info(path)
    for folder in (OWN_FOLDER, PUBLISHED_FOLDER)
    for path in sorted(folder.glob("*.safetensors"))
]
PAYLOAD_LIMIT_BITS_PER_S = {
    "speech-16k": 256,
    "speech-16k-strict": 250,
    "speech-16k-325": 332,
    "speech-48k": 715,
    "speech-16k-7500": 7500,
    "speech-24k-live": 6000,
    "audio-44k-3400": 3365,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not any(bundle.name == DEFAULT_BUNDLE for bundle in installed_bundles()),
        reason="no bundle has been trained",
    ),
]


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


@pytest.mark.parametrize("bundle", SHIPPED, ids=lambda bundle: bundle.name)
def test_each_shipped_model_keeps_its_profile_and_the_speech(bundle: BundleInfo, speech: Audio) -> None:
    """Each model, of the package or beside it, on three chunks of the recording at the model's own rate."""
    assert (
        bundle.told is not None and bundle.told.shape is not None
    )  # so that info and models need no torch for it
    shape = bundle.told.shape
    rate_hz, rows = shape.rate_hz, shape.rows
    original = soxr.resample(speech, 16000, rate_hz)
    data = melcodec_cli.compress(
        original, rate_hz=rate_hz, chunk_s=4.0, bundle=str(bundle.path), entropy=False
    )
    header = Reader(io.BytesIO(data)).header
    assert (header.bitstream_id.hex(), header.layout.model_rate_hz) == (bundle.bitstream_id, rate_hz)
    chunks = [indices for indices, _ in indices_of(data)]
    usual = math.floor(4 * shape.frames_per_s)
    frames = [usual, usual, math.ceil(10 * shape.frames_per_s) - 2 * usual]
    assert [len(chunk) for chunk in chunks] == [count * rows for count in frames]
    whole = 20 * shape.frames_per_s
    payload_bits = whole * rows * shape.index_bits
    payload_bits += shape.globals_count * shape.globals_bits * math.ceil(whole / shape.chunk_frames)
    assert payload_bits <= 20 * PAYLOAD_LIMIT_BITS_PER_S[bundle.profile_name]
    assert len(set(chunks[0])) > min(0.5 * len(chunks[0]), 0.2 * shape.codewords)  # the codebook is alive
    decoded, back_hz = melcodec_cli.decompress(data, bundle=str(bundle.path))
    assert (decoded.shape, back_hz) == (original.shape, rate_hz)
    heard = soxr.resample(decoded, rate_hz, 16000)
    assert np.corrcoef(loudness_db(speech), loudness_db(heard))[0, 1] > 0.9
    assert abs(loudness_db(speech).max() - loudness_db(heard).max()) < 6


def loudness_db(audio: Audio) -> Audio:
    """The loudness of every 20 ms in dB."""
    power = np.square(audio.astype(np.float64)).reshape(-1, 320).mean(axis=1)
    return np.asarray(10 * np.log10(power + 1e-6))


def test_a_recording_of_three_chunks_is_the_same_from_a_file_and_a_pipe_and_in_part(speech: Audio) -> None:
    from_file = melcodec_cli.compress(io.BytesIO(wav(speech)), chunk_s=4.0)
    from_pipe = melcodec_cli.compress(cast(BinaryIO, Pipe(wav(speech))), chunk_s=4.0)
    assert indices_of(from_file) == indices_of(from_pipe)
    assert Reader(io.BytesIO(from_file)).header.chunks == 3
    whole, _ = melcodec_cli.decompress(from_file)
    part, _ = melcodec_cli.decompress(from_file, start_s=3.5, end_s=4.5)
    np.testing.assert_allclose(part, whole[56_000:72_000], rtol=0, atol=1e-5)


def test_speech_is_coded_the_same_beside_something_else(speech: Audio, coded: bytes) -> None:
    """In a file of two channels, both go through the model side by side."""
    other = speech[::-1]
    both = melcodec_cli.compress(np.stack([other, speech], axis=1), rate_hz=16000, keep_channels=True)
    [(indices, globals_)], [(indices_alone, globals_alone)] = indices_of(both), indices_of(coded)
    assert indices[250:] == indices_alone
    assert globals_[len(globals_alone) :] == globals_alone
