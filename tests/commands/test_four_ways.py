"""File to file, file to pipe, pipe to file and pipe to pipe give the same, except lengths known in advance."""

import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import mlcfile
import pytest
import soundfile

from melcodec_cli.cli import main
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

WAYS = list(product(("file", "pipe"), repeat=2))
Convert = Callable[[list[str], bytes, str, str], bytes]


@pytest.fixture
def convert(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Convert:
    def through(arguments: list[str], data: bytes, source: str, target: str) -> bytes:
        """The output of the command for this data, through real pipes if requested."""
        Path("in").write_bytes(data)
        names = ["in" if source == "file" else "-", "out" if target == "file" else "-"]
        with ThreadPoolExecutor(2) as others, monkeypatch.context() as patch:
            if source == "pipe":
                read_end, write_end = os.pipe()
                others.submit(_feed, write_end, data)
                patch.setattr(sys, "stdin", os.fdopen(read_end))
            if target == "pipe":
                read_end, write_end = os.pipe()
                received = others.submit(Path(f"/dev/fd/{read_end}").read_bytes)
                patch.setattr(sys, "stdout", os.fdopen(write_end, "w"))
            assert main([*arguments, "-q", "--force", names[0], "-o", names[1]]) == 0
            if target == "file":
                return Path("out").read_bytes()
            sys.stdout.close()
            return received.result()

    return through


def _feed(pipe: int, data: bytes) -> None:
    with os.fdopen(pipe, "wb") as file:
        file.write(data)


def mlc_without_length(data: bytes) -> tuple[bytes, list[bytes], int, int]:
    """The header up to its length, the blocks, and the frames and samples given in END."""
    reader = mlcfile.Reader(io.BytesIO(data))
    blocks = list(reader.blocks())
    assert reader.end is not None
    start = reader.header_bytes.data[: reader.header_bytes.length_offset]
    return start, [block.data for block in blocks[:-1]], reader.end.frames, reader.end.samples


def wav_without_length(data: bytes) -> tuple[bytes, bytes]:
    """The file from its format on, without the size of the samples."""
    start = data.index(b"fmt ")
    samples = data.index(b"data", start) + 4
    return data[start:samples], data[samples + 4 :]


@pytest.mark.parametrize(
    "options, rate_hz, channels",
    [([], 16000, 1), (["--channels", "keep", "--chunk-seconds", "0.5"], 44100, 2)],
    ids=["mono", "stereo at another rate"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_compressing_is_the_same_in_four_ways(
    convert: Convert, options: list[str], rate_hz: int, channels: int
) -> None:
    recording = wav(noise(5.3, rate_hz, channels), rate_hz)
    found = {way: convert(["compress", *options], recording, *way) for way in WAYS}
    assert found["file", "file"] == found["file", "pipe"]
    assert found["pipe", "file"] != found["pipe", "pipe"]  # whose header cannot be written again
    (first, *others) = map(mlc_without_length, found.values())
    assert others == [first] * 3
    assert first[3] == round(5.3 * rate_hz)


def decoded(data: bytes) -> tuple[list[float], int]:
    samples, rate_hz = soundfile.read(io.BytesIO(data))
    return samples.tolist(), rate_hz


# libsndfile gives every Ogg stream a number by chance, so of these the sound is compared.
SAME: dict[str, Callable[[bytes], object]] = {"wav": wav_without_length, "ogg": decoded, "opus": decoded}


@pytest.mark.parametrize("form", ["wav", "raw", "flac", "mp3", "ogg", "opus"])
def test_decompressing_is_the_same_in_four_ways(convert: Convert, form: str) -> None:
    rate_hz = 48000 if form == "opus" else 16000
    coded = convert(["compress"], wav(noise(5.3, rate_hz), rate_hz), "file", "file")
    found = [convert(["decompress", "--format", form], coded, *way) for way in WAYS]
    (first, *others) = map(SAME.get(form, bytes), found)
    assert others == [first] * 3
