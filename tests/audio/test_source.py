"""Inputs that are not audio, too long, damaged or vague about their length."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile

from melcodec_cli.audio import RawFormat, open_source
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.source import AudioSource
from melcodec_cli.errors import AudioUnreadable

Tone = Callable[..., Samples]
Encoded = Callable[..., bytes]
Pipe = Callable[..., BinaryIO]
ReadAll = Callable[[AudioSource], Samples]

UNREADABLE = "not a known audio format|audio cannot be decoded"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file or directory"),
        ("folder", "is a directory"),
        (b"", "is empty"),
        (b"x", "not a known audio format; convert it to wav or flac, or describe bare samples"),
        (b"no audio, but a text of some length\n" * 99, UNREADABLE),
        (b"fLaC and then nothing of the kind" * 99, UNREADABLE),
        (b"OggS and then nothing of the kind" * 99, UNREADABLE),
        (b"ID3\x04\0\0\0\0\0\x05 and then nothing" * 99, UNREADABLE),
        (b".snd", UNREADABLE),
        (b"RIFF", UNREADABLE),
    ],
    ids=["missing", "folder", "empty", "one byte", "text", "flac", "ogg", "mp3", "au", "wav"],
)
def test_unreadable_input_is_named_with_the_reason_in_one_line(
    content: bytes | str | None, problem: str, tmp_path: Path, pipe: Pipe
) -> None:
    path = tmp_path / "in.wav"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
        with pytest.raises(AudioUnreadable, match=problem):
            open_source(pipe(content))
    with pytest.raises(AudioUnreadable, match=problem) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("rate_hz", "channels", "problem"),
    [
        (3_999, 1, "3999 Hz is outside"),
        (384_001, 1, "384001 Hz is outside"),
        (16_000, 9, "9 channels are outside"),
    ],
    ids=["too slow", "too fast", "too many channels"],
)
@pytest.mark.parametrize("form", ["wav", "au", "aiff", "caf"])
def test_limits_hold_for_every_format(
    form: str, rate_hz: int, channels: int, problem: str, tone: Tone, tmp_path: Path, pipe: Pipe
) -> None:
    path = tmp_path / f"in.{form}"
    soundfile.write(path, tone(100, rate_hz, channels), rate_hz)
    for where in (path, pipe(path.read_bytes())):
        with pytest.raises(AudioUnreadable, match=problem):
            open_source(where)


@pytest.mark.parametrize("rate_hz", [4_000, 384_000])
def test_limits_themselves_are_within(rate_hz: int, tone: Tone, encoded: Encoded, read_all: ReadAll) -> None:
    source = open_source(io.BytesIO(encoded(tone(100, rate_hz, 8), rate_hz=rate_hz)))
    assert read_all(source).shape == (100, 8)


@pytest.mark.parametrize("form", ["aiff", "caf", "w64", "voc", "nist", "ircam", "mat5", "paf", "au"])
def test_other_formats_of_libsndfile_are_read_too(
    form: str, tone: Tone, tmp_path: Path, read_all: ReadAll
) -> None:
    path = tmp_path / "any name"
    soundfile.write(path, tone(2_000, 8_000, 2), 8_000, "PCM_16", format=form.upper())
    with open_source(path) as source:
        assert (source.rate_hz, source.channels, source.samples) == (8_000, 2, 2_000)
        np.testing.assert_allclose(read_all(source), tone(2_000, 8_000, 2), atol=2**-14)


@pytest.mark.parametrize(
    "subtype", ["PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
)
def test_au_is_read_in_all_its_encodings(
    subtype: str, tone: Tone, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    path = tmp_path / "in.au"
    soundfile.write(path, tone(2_000), 16_000, subtype)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    for where in (path, pipe(path.read_bytes())):
        np.testing.assert_array_equal(read_all(open_source(where)), expected)


def test_raw_format_overrules_what_the_bytes_look_like(
    tone: Tone, encoded: Encoded, tmp_path: Path, read_all: ReadAll
) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(encoded(tone(100), samples=100))
    with open_source(path, RawFormat(8_000)) as source:
        assert (source.rate_hz, source.samples) == (8_000, 122)
        assert len(read_all(source)) == 122


def test_raw_rest_of_less_than_a_frame_is_left_out(pipe: Pipe, read_all: ReadAll) -> None:
    source = open_source(pipe(bytes(4 * 100 + 3)), RawFormat(8_000, 2))
    assert len(read_all(source)) == 100


UNSOUND = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "1e+30": 1e30, "20000": 20_000.0}


@pytest.mark.parametrize("shown", UNSOUND)
@pytest.mark.parametrize("form", ["WAV", "AU", "CAF", "AIFF", "raw", "WAV of doubles"])
def test_a_sample_that_is_not_sound_is_an_error_with_its_place(
    form: str, shown: str, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    """Silence instead would go unnoticed. The place is counted from the start, not within a block of 1001 frames."""
    block = np.full((8000, 2), 0.25, np.float64)
    block[4000, 1] = UNSOUND[shown]
    path, raw = tmp_path / "in", None
    if form == "raw":
        path.write_bytes(block.astype(">f4").tobytes())
        raw = RawFormat(16_000, 2, "f32be")
    else:
        container, _, doubles = form.partition(" of ")
        soundfile.write(path, block, 16_000, "DOUBLE" if doubles else "FLOAT", format=container)
    for where in (path, pipe(path.read_bytes())):
        source = open_source(where, raw)
        with pytest.raises(AudioUnreadable) as caught:
            read_all(source)
        assert (
            caught.value.message == f"the sample at 0.250 s is {shown}, which is not sound (full scale is 1)"
        )


def test_a_double_too_large_for_a_float_is_not_sound_either(tmp_path: Path, read_all: ReadAll) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, np.array([0.5, 1e300]), 16_000, "DOUBLE")
    with pytest.raises(AudioUnreadable, match="the sample at 0.000 s is inf"):
        read_all(open_source(path))


def test_floats_beyond_full_scale_are_still_sound(tmp_path: Path, read_all: ReadAll) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, np.array([0.5, -30.0]), 16_000, "FLOAT")
    assert read_all(open_source(path))[:, 0].tolist() == [0.5, -30]


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "opus", "mp3"])
def test_reading_starts_where_the_file_object_stands(
    form: str, tone: Tone, encoded: Encoded, read_all: ReadAll
) -> None:
    file = io.BytesIO(b"before" + encoded(tone(3_000), form))
    file.seek(6)
    assert len(read_all(open_source(file))) == 3_000
    assert not file.closed


def without_xing(mp3: bytes) -> bytes:
    """The MP3 without its first frame, which holds the number of frames instead of sound."""
    position = mp3.index(b"Xing")
    return mp3[mp3.index(mp3[:2], position) :]


def loud_then_quiet(samples: int) -> Samples:
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, (samples, 1)).astype(np.float32)
    noise[samples // 10 :] *= 0
    return noise


def test_mp3_without_a_length_is_read_to_its_end(encoded: Encoded, tmp_path: Path, read_all: ReadAll) -> None:
    # Its first frames are large and the rest small, so that the length guessed from the first is far too short.
    data = without_xing(encoded(loud_then_quiet(100_000), "mp3"))
    path = tmp_path / "in.mp3"
    path.write_bytes(data)
    with soundfile.SoundFile(path) as guessed:
        assert guessed.frames < 80_000
    with open_source(path) as source:
        assert source.samples is None
        delivered = len(read_all(source))
        assert source.samples == delivered >= 100_000
        assert not source.truncated


def test_mp3_with_a_length_reports_it(
    tone: Tone, encoded: Encoded, tmp_path: Path, read_all: ReadAll
) -> None:
    path = tmp_path / "in.mp3"
    for tags in ({}, {"TITLE": "with an ID3 tag before the header"}):
        path.write_bytes(encoded(tone(50_000), "mp3", tags=tags))
        assert (path.read_bytes()[:3] == b"ID3") == bool(tags)
        with open_source(path) as source:
            assert source.samples == 50_000
            assert len(read_all(source)) == 50_000


def test_flac_without_a_length_is_read_to_its_end(
    tone: Tone, encoded: Encoded, tmp_path: Path, read_all: ReadAll
) -> None:
    data = bytearray(encoded(tone(20_000), "flac"))
    data[21] &= 0xF0  # 36 bits of the STREAMINFO block
    data[22:26] = bytes(4)
    path = tmp_path / "in.flac"
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.samples is None
        assert len(read_all(source)) == 20_000
        assert (source.samples, source.truncated) == (20_000, False)


def test_empty_flac_of_other_programs_is_a_recording_of_no_samples(tmp_path: Path, read_all: ReadAll) -> None:
    blocks_of_4096, no_frame_sizes = b"\x10\x00" * 2, bytes(6)
    rate_channels_bits_length = (16_000 << 44 | 0 << 41 | 15 << 36).to_bytes(8, "big")
    stream_info = blocks_of_4096 + no_frame_sizes + rate_channels_bits_length + bytes(16)
    vorbis_comment = b"\x84\0\0\x08" + bytes(8)
    path = tmp_path / "in.flac"
    path.write_bytes(b"fLaC\0\0\0\x22" + stream_info + vorbis_comment)
    with open_source(path) as source:
        assert len(read_all(source)) == 0
        assert (source.samples, source.truncated) == (0, False)


def test_damaged_flac_is_reported_while_reading(
    tone: Tone, encoded: Encoded, tmp_path: Path, read_all: ReadAll
) -> None:
    data = encoded(tone(50_000), "flac")
    path = tmp_path / "in.flac"
    path.write_bytes(data[: len(data) // 2] + bytes(200) + data[len(data) // 2 + 200 :])
    with pytest.raises(AudioUnreadable, match=r"in\.flac: the audio cannot be decoded: .*flac"):
        read_all(open_source(path))


@pytest.mark.parametrize("form", ["ogg", "opus", "mp3"])
def test_truncated_stream_is_read_as_far_as_it_goes(
    form: str, encoded: Encoded, tmp_path: Path, read_all: ReadAll
) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (100_000, 1)).astype(np.float32)
    data = encoded(noise, form)
    path = tmp_path / "in"
    path.write_bytes(data[: len(data) // 2])
    with open_source(path) as source:
        delivered = len(read_all(source))
        assert source.samples == delivered
        assert 10_000 < delivered < 90_000


class Failing(io.RawIOBase):
    """A disk with a bad block."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_failing_disk_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AudioUnreadable, match="audio input: cannot be read: input/output error"):
        open_source(cast(BinaryIO, Failing()))


def test_no_room_for_spooling_is_reported(
    tone: Tone, encoded: Encoded, pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(AudioUnreadable, match="cannot be copied to .*missing: no such file"):
        open_source(pipe(encoded(tone(1_000), "flac")))


def test_files_are_closed_with_their_source_and_after_a_failure(
    tone: Tone, encoded: Encoded, tmp_path: Path
) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    (tmp_path / "text").write_bytes(b"text" * 99)
    for form in ("wav", "flac", "mp3"):
        (tmp_path / form).write_bytes(encoded(tone(1_000), form))
    before = open_files()
    for form in ("wav", "flac", "mp3"):
        with open_source(tmp_path / form) as source:
            next(source.blocks(10))
            assert open_files() > before
    with pytest.raises(AudioUnreadable):
        open_source(tmp_path / "text")
    assert open_files() == before
