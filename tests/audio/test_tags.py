"""Tags, read from and written to every format that has them."""

import io
import struct
from collections.abc import Callable
from typing import BinaryIO

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from melcodec_cli.audio import open_source, tags
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.source import AudioSource

Tone = Callable[..., Samples]
Encoded = Callable[..., bytes]
Pipe = Callable[..., BinaryIO]
ReadAll = Callable[[AudioSource], Samples]

TAGS = {
    "TITLE": "Über die Brücke",
    "ARTIST": "音声",
    "ALBUM": "B-side",
    "DATE": "2021",
    "GENRE": "Speech",
    "TRACKNUMBER": "7",
    "COMMENT": "a=b; c\nd",
}
MORE_TAGS = {"COPYRIGHT": "nobody", "LICENSE": "CC0"}


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "opus", "mp3"])
def test_tags_come_back(form: str, tone: Tone, encoded: Encoded, pipe: Pipe) -> None:
    data = encoded(tone(1_000), form, tags=TAGS)
    for where in (io.BytesIO(data), pipe(data)):
        with open_source(where) as source:
            assert source.tags == TAGS


@pytest.mark.parametrize("form", ["flac", "ogg", "opus"])
def test_vorbis_comments_carry_the_legal_ones_too(form: str, tone: Tone, encoded: Encoded) -> None:
    with open_source(io.BytesIO(encoded(tone(1_000), form, tags=TAGS | MORE_TAGS))) as source:
        assert source.tags == TAGS | MORE_TAGS


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "opus", "mp3", "raw"])
def test_unknown_empty_and_cut_tags_do_no_harm(form: str, tone: Tone, encoded: Encoded) -> None:
    data = encoded(tone(1_000), form, tags={"MOOD": "calm", "TITLE": "", "ARTIST": "a\0b"})
    if form != "raw":
        with open_source(io.BytesIO(data)) as source:
            assert source.tags == {"ARTIST": "ab"}


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "opus", "mp3"])
def test_tags_beyond_all_measure_are_left_out_and_the_file_stays_whole(
    form: str, tone: Tone, encoded: Encoded, read_all: ReadAll
) -> None:
    long = {"ARTIST": "y" * 39_000, "ALBUM": "z" * 100_000, "COMMENT": "c" * 900}
    with open_source(io.BytesIO(encoded(tone(1_000), form, tags={"TITLE": "x" * 40_001} | long))) as source:
        assert source.tags == {"ARTIST": long["ARTIST"], "COMMENT": long["COMMENT"]}
        assert len(read_all(source)) == 1_000


def test_libsndfile_reads_our_wav_tags(tone: Tone, encoded: Encoded) -> None:
    data = encoded(tone(1_000), tags=TAGS | MORE_TAGS)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert {key.upper(): value for key, value in file.copy_metadata().items()} == TAGS | {
            "COPYRIGHT": "nobody"
        }


def test_tags_behind_the_audio_are_found(tone: Tone, encoded: Encoded, pipe: Pipe, read_all: ReadAll) -> None:
    for samples in (1_000, 1_001):
        data = encoded(tone(samples), samples=samples, subtype="PCM_U8") + tags.to_info(TAGS)
        with open_source(io.BytesIO(data)) as source:
            assert source.tags == TAGS
            assert len(read_all(source)) == samples
        with open_source(pipe(data)) as source:
            assert source.tags == {}  # not there yet
            assert len(read_all(source)) == samples
            assert source.tags == TAGS


def test_text_of_older_programs_is_read_as_theirs() -> None:
    body = (
        b"INFO" + struct.pack("<4sI", b"INAM", 5) + b"Br\xfcc\0\0" + struct.pack("<4sI", b"ISFT", 2) + b"x\0"
    )
    assert tags.from_info(body) == {"TITLE": "Brüc"}


@given(st.binary(max_size=200))
def test_any_bytes_may_stand_in_a_list(body: bytes) -> None:
    found = tags.from_info(b"INFO" + body)
    assert set(found) <= {name.key for name in tags.KNOWN}


@given(
    st.dictionaries(
        st.sampled_from([name.key for name in tags.KNOWN if name.info]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20),
    )
)
def test_every_text_survives_a_list(values: dict[str, str]) -> None:
    assert tags.from_info(tags.to_info(values)[8:]) == values


@pytest.mark.parametrize(
    ("description", "comment", "expected"),
    [
        (b"Interview, second part\0", None, "Interview, second part"),
        (b"Interview \xe4\0 and what is behind", None, "Interview \u00e4"),
        (b"x" * 256 + b"originator", None, "x" * 256),
        (b"Interview", "a comment of its own", "a comment of its own"),
        (b"\0" * 256, None, None),
        (b"", None, None),
    ],
)
def test_the_description_of_a_broadcast_wave_is_kept_as_a_comment(
    description: bytes,
    comment: str | None,
    expected: str | None,
    tone: Tone,
    encoded: Encoded,
    pipe: Pipe,
    read_all: ReadAll,
) -> None:
    data = encoded(tone(1_000), tags={"COMMENT": comment} if comment else {})
    body = description.ljust(602, b"\0") if description else b""
    data = data[:12] + struct.pack("<4sI", b"bext", len(body)) + body + data[12:]
    for where in (io.BytesIO(data), pipe(data)):
        source = open_source(where)
        assert len(read_all(source)) == 1_000
        assert source.tags.get("COMMENT") == expected
