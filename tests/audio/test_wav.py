"""WAV headers, correct ones and those found in practice."""

import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from melcodec_cli.audio import open_sink, open_source, wav_header
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.source import AudioSource, PcmSource
from melcodec_cli.errors import AudioUnreadable

Tone = Callable[..., Samples]
Encoded = Callable[..., bytes]
Pipe = Callable[..., BinaryIO]
ReadAll = Callable[[AudioSource], Samples]

SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]
RATE_HZ = 16_000


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return struct.pack("<4sI", name, len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def pcm_format(channels: int = 1, bits: int = 16, code: int = 1) -> bytes:
    frame_bytes = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, RATE_HZ, 0, frame_bytes, bits))


def riff(*chunks: bytes, size: int | None = None, magic: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", magic, len(body) if size is None else size) + body


SAMPLES = np.arange(1, 1001, dtype="<i2")
AUDIO = SAMPLES.tobytes()


def values(block: Samples) -> list[int]:
    return (block[:, 0] * 32768).astype(int).tolist()


def both_ways(data: bytes, tmp_path: Path, pipe: Pipe) -> list[AudioSource]:
    path = tmp_path / "in.wav"
    path.write_bytes(data)
    return [open_source(path), open_source(pipe(data))]


@pytest.mark.parametrize("channels", [1, 2, 3, 8], ids=lambda channels: f"{channels} channels")
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_libsndfile_reads_what_we_write(subtype: str, channels: int, tone: Tone, encoded: Encoded) -> None:
    block = tone(1_001, RATE_HZ, channels)
    with soundfile.SoundFile(io.BytesIO(encoded(block, subtype=subtype))) as file:
        assert (file.samplerate, file.channels, file.frames) == (RATE_HZ, channels, 1_001)
        assert file.subtype == subtype
        np.testing.assert_allclose(file.read(dtype="float32", always_2d=True), block, atol=2**-7 + 1e-6)


@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_we_read_what_libsndfile_writes(
    form: str, subtype: str, tone: Tone, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(1_001, channels=2), RATE_HZ, subtype, format=form)
    expected = soundfile.read(path, dtype="float32")[0]
    for source in both_ways(path.read_bytes(), tmp_path, pipe):
        assert isinstance(source, PcmSource)
        assert (source.rate_hz, source.channels, source.samples) == (RATE_HZ, 2, 1_001)
        np.testing.assert_array_equal(read_all(source), expected)
        assert not source.truncated


@pytest.mark.parametrize(
    "data",
    [
        riff(pcm_format(), chunk(b"data", AUDIO, 0xFFFFFFFF), size=0xFFFFFFFF),
        riff(pcm_format(), chunk(b"data", AUDIO, 0xFFFFFFFF - 36), size=0xFFFFFFFF),
        riff(pcm_format(), chunk(b"data", AUDIO, 0), size=0),
        riff(pcm_format(), chunk(b"data", AUDIO, 0), size=36),
        riff(pcm_format(), chunk(b"data", AUDIO, 0x7FFFF000), size=0x7FFFF024),
        riff(pcm_format(), chunk(b"data", AUDIO, 0x80000000), size=0x80000024),
        riff(
            chunk(b"ds64", bytes(28)),
            pcm_format(),
            chunk(b"data", AUDIO, 0xFFFFFFFF),
            size=0xFFFFFFFF,
            magic=b"RF64",
        ),
    ],
    ids=["ffmpeg", "largest less header", "zeros", "only data zero", "sox", "arecord", "rf64 with zeros"],
)
def test_unknown_size_means_up_to_the_end(data: bytes, tmp_path: Path, pipe: Pipe, read_all: ReadAll) -> None:
    in_file, in_pipe = both_ways(data, tmp_path, pipe)
    assert (in_file.samples, in_pipe.samples) == (1_000, None)
    for source in (in_file, in_pipe):
        assert values(read_all(source)) == SAMPLES.tolist()
        assert source.samples == 1_000
        assert not source.truncated


def test_zero_is_the_true_size_when_other_chunks_follow(
    tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    data = riff(pcm_format(), chunk(b"data", b""), chunk(b"junk", AUDIO))
    for source in both_ways(data, tmp_path, pipe):
        assert source.samples == 0
        assert len(read_all(source)) == 0


def test_what_follows_the_audio_is_not_audio(tmp_path: Path, pipe: Pipe, read_all: ReadAll) -> None:
    for body in (AUDIO, AUDIO[:-2]):
        data = riff(chunk(b"JUNK", b"odd"), pcm_format(), chunk(b"data", body), chunk(b"junk", b"x" * 999))
        for source in both_ways(data, tmp_path, pipe):
            assert values(read_all(source)) == SAMPLES.tolist()[: len(body) // 2]


def test_truncated_audio_is_read_as_far_as_it_goes(tmp_path: Path, pipe: Pipe, read_all: ReadAll) -> None:
    data = riff(pcm_format(channels=2), chunk(b"data", AUDIO))[:-401]
    in_file, in_pipe = both_ways(data, tmp_path, pipe)
    assert (in_file.samples, in_pipe.samples) == (399, 500)
    for source in (in_file, in_pipe):
        assert len(read_all(source)) == source.samples == 399
        assert source.truncated


def test_long_size_of_rf64_is_believed(tmp_path: Path, pipe: Pipe) -> None:
    sizes = struct.pack("<QQQI", 20 << 30, 10 << 30, 5 << 30, 0)
    data = riff(
        chunk(b"ds64", sizes), pcm_format(), chunk(b"data", AUDIO, 0xFFFFFFFF), size=0xFFFFFFFF, magic=b"RF64"
    )
    in_file, in_pipe = both_ways(data, tmp_path, pipe)
    assert (in_file.samples, in_file.truncated) == (1_000, True)
    assert in_pipe.samples == 5 << 30


def test_sparse_file_beyond_4_gib_is_read_to_its_last_sample(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    samples = 2_200_000_000
    with path.open("wb") as file, open_sink(file, "wav", 384_000, 1, samples) as sink:
        file.seek(2 * (samples - 1), os.SEEK_CUR)
        sink.write(np.array([[0.5]], np.float32))
        sink.samples = samples  # as if all the silence before had been written too
    with soundfile.SoundFile(path) as file:
        assert (file.format, file.frames) == ("RF64", samples)
        file.seek(samples - 1)
        assert file.read().tolist() == [0.5]
    with open_source(path) as source:
        assert source.samples == samples
        assert not source.truncated


@pytest.mark.parametrize("known", [True, False], ids=["known length", "unknown length"])
def test_file_that_outgrows_32_bits_becomes_rf64(
    known: bool,
    tone: Tone,
    encoded: Encoded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read_all: ReadAll,
) -> None:
    monkeypatch.setattr(wav_header, "RIFF_LIMIT", 20_000)
    block = tone(10_000)
    path = tmp_path / "long.wav"
    path.write_bytes(encoded(block, samples=10_000 if known else None))
    with soundfile.SoundFile(path) as file:
        assert (file.format, file.frames) == ("RF64", 10_000)
    np.testing.assert_allclose(read_all(open_source(path)), block, atol=2**-15)
    assert encoded(tone(9_000), samples=9_000 if known else None)[:4] == b"RIFF"


def test_short_header_when_the_length_is_known(tone: Tone, encoded: Encoded) -> None:
    data = encoded(tone(100), samples=100)
    assert len(data) == 44 + 200
    assert data[4:8] == struct.pack("<I", 36 + 200)
    assert data[40:44] == struct.pack("<I", 200)


def test_length_that_was_promised_wrongly_is_put_right(tone: Tone, encoded: Encoded) -> None:
    assert encoded(tone(100), samples=70) == encoded(tone(100), samples=100)


@pytest.mark.parametrize("samples", [0, 1, 639, 640, 641], ids=lambda samples: f"{samples} samples")
def test_odd_number_of_bytes_is_padded_and_not_counted(
    samples: int, tone: Tone, encoded: Encoded, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    data = encoded(tone(samples), subtype="PCM_U8")
    assert len(data) % 2 == 0
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    in_file, in_pipe = both_ways(data, tmp_path, pipe)
    assert (in_file.samples, in_pipe.samples) == (samples, samples or None)  # 0 may be a length not yet known
    for source in (in_file, in_pipe):
        assert len(read_all(source)) == samples


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (riff(), "a WAV header without audio"),
        (riff(pcm_format()), "a WAV header without audio"),
        (riff(pcm_format())[:-5], "audio cannot be decoded|a WAV header without audio"),
        (riff(chunk(b"data", AUDIO), pcm_format()), "before its format"),
        (riff(chunk(b"fmt ", b"short"), chunk(b"data", AUDIO)), "cannot be decoded|is known here"),
        (riff(pcm_format(channels=9), chunk(b"data", AUDIO)), "9 channels are outside 1 to 8"),
        (riff(pcm_format(channels=0), chunk(b"data", AUDIO)), "channels|audio cannot be decoded"),
        (riff(pcm_format(code=0x4321), chunk(b"data", AUDIO)), "cannot be decoded|is known here"),
        (riff(chunk(b"JUNK", bytes(5_000_000)), chunk(b"data", AUDIO)), "first MiB|before its format"),
    ],
    ids=[
        "nothing",
        "no chunks",
        "no data",
        "half a format",
        "data first",
        "short format",
        "nine channels",
        "no channels",
        "unknown codec",
        "five megabytes of junk",
    ],
)
def test_broken_header_is_refused_by_name_and_reason(
    data: bytes, problem: str, tmp_path: Path, pipe: Pipe
) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(data)
    for where in (path, pipe(data)):
        with pytest.raises(AudioUnreadable, match=problem) as caught:
            open_source(where)
        assert "\n" not in str(caught.value)


def test_bits_that_do_not_fill_their_bytes_stand_at_the_top(tmp_path: Path, read_all: ReadAll) -> None:
    path = tmp_path / "in.wav"
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE_HZ, 0, 3, 20))
    path.write_bytes(riff(form, chunk(b"data", b"\x00\x00\x40\x00\x00\xc0")))
    assert read_all(open_source(path)).tolist() == [[0.5], [-0.5]]


@pytest.mark.parametrize("subtype", ["ALAW", "ULAW", "IMA_ADPCM", "GSM610"])
def test_other_codecs_are_left_to_libsndfile(
    subtype: str, tone: Tone, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(2_000), RATE_HZ, subtype)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    for source in both_ways(path.read_bytes(), tmp_path, pipe):
        assert not isinstance(source, PcmSource)
        np.testing.assert_array_equal(read_all(source), expected)


def test_big_endian_relative_is_left_to_libsndfile(
    tone: Tone, tmp_path: Path, pipe: Pipe, read_all: ReadAll
) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(2_000), RATE_HZ, "PCM_16", endian="BIG", format="WAV")
    assert path.read_bytes()[:4] == b"RIFX"
    for source in both_ways(path.read_bytes(), tmp_path, pipe):
        np.testing.assert_allclose(read_all(source), tone(2_000), atol=2**-15)


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_damaged_header_is_read_or_refused_and_never_worse(data: st.DataObject) -> None:
    whole = bytearray(
        riff(chunk(b"ds64", bytes(28)), pcm_format(), chunk(b"LIST", b"INFO"), chunk(b"data", AUDIO))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, 120))
        whole[position] = data.draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]))
    if data.draw(st.booleans()):
        whole[:4], whole[80:84] = b"RF64", b"\xff" * 4
    try:
        with open_source(io.BytesIO(bytes(whole))) as source:
            assert sum(map(len, source.blocks(100))) <= 4 * len(whole)
    except AudioUnreadable as error:
        assert "\n" not in str(error)


def test_wav_needs_neither_libsndfile_nor_soxr(tone: Tone, encoded: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(encoded(tone(100)))
    script = (
        "import sys; from melcodec_cli.audio import *\n"
        "with open_source(sys.argv[1]) as source: list(source.blocks(100))\n"
        "print([name for name in ('soundfile', 'soxr', 'torch', 'click') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", script, path], capture_output=True, check=True).stdout
    assert output == b"[]\n"
