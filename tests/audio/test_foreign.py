"""Formats that melcodec cannot read are named in the message, with what to do."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from melcodec_cli.audio import open_source
from melcodec_cli.audio.foreign import SIGNS
from melcodec_cli.errors import AudioUnreadable

pytestmark = pytest.mark.slow


def beginning(place: int, sign: bytes) -> bytes:
    """The first bytes of such a file, and then filler."""
    head = b"OggS" if place == 28 else b"\0" * min(place, 3) + b"\x18" * (place > 3)
    return head.ljust(place, b"\0") + sign + bytes(1000)


@pytest.mark.parametrize(("place", "sign", "what"), SIGNS, ids=[repr(sign) for _, sign, _ in SIGNS])
def test_what_is_read_elsewhere_is_named_with_the_command_that_converts_it(
    place: int, sign: bytes, what: str, tmp_path: Path, pipe: Callable[..., BinaryIO]
) -> None:
    path = tmp_path / "my talk.bin"
    path.write_bytes(beginning(place, sign))
    with pytest.raises(AudioUnreadable) as caught:
        open_source(path)
    command = f"ffmpeg -i '{path}' '{path.with_suffix('.wav')}'"
    assert caught.value.message == f"is {what}, which melcodec cannot read; convert it first: {command}"
    with pytest.raises(AudioUnreadable, match="convert it first, with ffmpeg$"):
        open_source(pipe(path.read_bytes()))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.m4a", "is an MP4 file"),
        ("a.webm", "is a Matroska or WebM file"),
        ("a.mkv", "is a Matroska or WebM file"),
        ("a.oga", "is FLAC in Ogg"),
        ("a.wma", "is a Windows Media file"),
        ("a.aac", "is AAC"),
    ],
)
def test_real_files_are_known_and_the_command_helps(name: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / name
    codec = ["-c:a", "flac"] if name == "a.oga" else []
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1:r=48000", *codec, str(path)]
    subprocess.run(command, check=True)
    with pytest.raises(AudioUnreadable, match=what) as caught:
        open_source(path)
    subprocess.run(["bash", "-c", caught.value.message.partition(": ")[2]], check=True, capture_output=True)
    with open_source(path.with_suffix(".wav")) as source:
        assert sum(map(len, source.blocks(1000))) > 40_000


def test_ogg_vorbis_may_be_called_oga_and_is_read_again(tmp_path: Path) -> None:
    import numpy as np

    from melcodec_cli.audio import format_for, open_sink

    path = tmp_path / "a.oga"
    with path.open("w+b") as file, open_sink(file, format_for(path), 16_000, 1) as sink:
        sink.write(np.zeros((16_000, 1), np.float32))
    with open_source(path) as source:
        assert sum(map(len, source.blocks(1000))) == 16_000
