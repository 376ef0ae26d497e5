"""What Python programs may pass, what they get back, and which errors they see."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from melcodec_cli.api import compress, decompress, in_python_terms
from melcodec_cli.errors import AudioUnreadable, MelcodecError, UsageProblem
from melcodec_cli.report.report import Record
from tests.sounds import noise, wav

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import assert_type

PROJECT = Path(__file__).parents[1]
TALK = noise(0.3)


@pytest.fixture
def coded(only_tiny_bundle: Path) -> bytes:
    return compress(TALK, rate_hz=16000)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_that_holds_bytes_is_decompressed_and_compressed(coded: bytes, kind: Any) -> None:
    np.testing.assert_array_equal(decompress(kind(coded))[0], decompress(coded)[0])
    assert compress(kind(wav(TALK))) == coded


def test_a_rate_may_come_as_a_whole_float_or_out_of_an_array(coded: bytes) -> None:
    assert compress(TALK, rate_hz=16000.0) == coded
    assert compress(TALK, rate_hz=np.int32(16000)) == coded
    assert decompress(coded, rate_hz=8000.0)[1] == 8000


def test_lists_tuples_and_other_libraries_arrays_are_arrays(coded: bytes) -> None:
    import torch

    assert compress(TALK.tolist(), rate_hz=16000) == coded
    assert compress(tuple(TALK.tolist()), rate_hz=16000) == coded
    assert compress(torch.from_numpy(TALK), rate_hz=16000) == coded
    assert compress([[sample] for sample in TALK.tolist()], rate_hz=16000) == coded
    assert len(decompress(compress([], rate_hz=16000))[0]) == 0


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int32, ">i2"])
def test_integers_use_their_whole_range(only_tiny_bundle: Path, kind: Any) -> None:
    bits = 8 * np.dtype(kind).itemsize
    values = np.rint(TALK.astype(np.float64) * 2 ** (bits - 1))
    offset = 128 if kind is np.uint8 else 0
    expected = (values / 2 ** (bits - 1)).astype(np.float32)
    assert compress((values + offset).astype(kind), rate_hz=16000) == compress(expected, rate_hz=16000)


@pytest.mark.parametrize(
    ("source", "rate_hz", "problem"),
    [
        (TALK, None, "an array needs its rate_hz"),
        (TALK, 16000.5, "rate_hz must be a whole number, not 16000.5"),
        (TALK, float("nan"), "rate_hz must be a whole number, not nan"),
        (np.zeros((2, 16000), np.float32), 16000, r"has 16000 channels; .* transpose it, as in audio\.T"),
        (np.zeros((1, 9)), 16000, "transpose it"),
        (np.zeros((2, 3, 4)), 16000, r"it is \(sample,\) or \(sample, channel\)"),
        (np.float32(1), 16000, r"it is \(sample,\) or \(sample, channel\)"),
        (np.zeros(9, np.int64), 16000, "an array of int64 is not audio; samples are floats within"),
        (["a", "b"], 16000, "is not audio; samples are floats"),
        ([[1.0], [1.0, 2.0]], 16000, "the list is not an array of samples"),
        (17, 16000, "source is a int; it must be a path, a binary file or an array"),
        (None, None, "source is a NoneType"),
    ],
)
def test_what_is_no_audio_is_a_type_error_that_says_what_would_be(
    source: Any, rate_hz: Any, problem: str
) -> None:
    with pytest.raises(TypeError, match=problem):
        compress(source, rate_hz=rate_hz)


def test_a_file_says_its_own_rate(only_tiny_bundle: Path) -> None:
    with pytest.raises(TypeError, match="rate_hz is for arrays"):
        compress(io.BytesIO(wav(TALK)), rate_hz=16000)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 5000.0])
def test_an_array_with_what_is_no_sound_is_refused_by_its_place(only_tiny_bundle: Path, value: float) -> None:
    audio = np.zeros(16000)
    audio[4000] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AudioUnreadable, match=r"^the array: the sample at 0\.250 s is "):
            compress(audio, rate_hz=16000)


def test_arguments_out_of_range_are_named_as_python_names_them(coded: bytes) -> None:
    with pytest.raises(UsageProblem, match="effort 9: must be 1 to 8 for"):
        compress(TALK, rate_hz=16000, effort=9)
    with pytest.raises(UsageProblem, match="rate of 1000 Hz is outside"):
        compress(TALK, rate_hz=1000)


def test_errors_and_warnings_name_arguments_and_not_options(coded: bytes, tmp_path: Path) -> None:
    there = tmp_path / "there.mlc"
    there.write_bytes(b"")
    with pytest.raises(MelcodecError, match="force=True"):
        compress(TALK, there, rate_hz=16000)
    with pytest.raises(AudioUnreadable, match="give bare samples as an array"):
        compress(b"no audio at all, but a text")
    with pytest.raises(UsageProblem, match="choose one with rate_hz"):
        decompress(coded, tmp_path / "x.mp3", rate_hz=96000)
    with pytest.warns(UserWarning, match="keep_channels=True"):
        compress(noise(0.1, channels=2), rate_hz=16000)


def test_no_message_that_a_program_may_get_has_an_option_left() -> None:
    rooms = ("audio", "codec", "models", "convert", "files")
    sources = [path for room in rooms for path in (PROJECT / "melcodec_cli" / room).glob("*.py")]
    texts = [text for path in sources for text in re.findall(r'"[^"\n]*--[a-z][^"\n]*"', path.read_text())]
    assert len(texts) > 9
    assert not [text for text in texts if re.search(r"(?<!\w)--\w", in_python_terms(text))]


def test_a_type_checker_knows_the_results(coded: bytes, tmp_path: Path) -> None:
    record = compress(TALK, tmp_path / "a.mlc", rate_hz=16000)
    audio = decompress(coded)
    decoded = decompress(coded, tmp_path / "a.wav")
    if TYPE_CHECKING:
        assert_type(coded, bytes)
        assert_type(record, Record)
        assert_type(audio, tuple[NDArray[np.float32], int])
        assert_type(decoded, Record)
    assert isinstance(record, Record) and isinstance(decoded, Record)
    assert isinstance(audio[0], np.ndarray) and audio[1] == 16000
