"""Every format, written and read again; and what each of them cannot hold."""

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile

from melcodec_cli.audio import FORMATS, RawFormat, format_for, open_sink, open_source
from melcodec_cli.audio.encoded_sink import ENCODER_FRAMES
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.source import AudioSource
from melcodec_cli.errors import UsageProblem

Tone = Callable[..., Samples]
Encoded = Callable[..., bytes]
ReadAll = Callable[[AudioSource], Samples]

RATES_HZ = [4_000, 8_000, 11_025, 16_000, 22_050, 37_813, 44_100, 48_000, 96_000, 192_000, 384_000]
LENGTHS = [0, 1, 639, 640, 641, 5_001]


def possible(form: str, rate_hz: int = 16_000, channels: int = 1) -> bool:
    try:
        FORMATS[form].check(rate_hz, channels)
    except UsageProblem:
        return False
    return True


def combinations(values: list[int], keyword: str) -> list[tuple[str, int]]:
    return [(form, value) for form in FORMATS for value in values if possible(form, **{keyword: value})]


def read_back(
    data: bytes,
    form: str,
    read_all: ReadAll,
    rate_hz: int = 16_000,
    channels: int = 1,
    encoding: str = "s16le",
) -> Samples:
    raw = RawFormat(rate_hz, channels, encoding) if form == "raw" else None
    source = open_source(io.BytesIO(data), raw)
    assert (source.rate_hz, source.channels) == (rate_hz, channels)
    block = read_all(source)
    assert not source.truncated
    return block


def loudness_of_difference_db(one: Samples, other: Samples) -> float:
    return 10 * np.log10(np.mean((one - other) ** 2) / np.mean(one**2) + 1e-12)


@pytest.mark.parametrize(("form", "rate_hz"), combinations(RATES_HZ, "rate_hz"))
def test_rate_and_sound_survive(
    form: str, rate_hz: int, tone: Tone, encoded: Encoded, read_all: ReadAll
) -> None:
    block = tone(rate_hz // 4, rate_hz)
    back = read_back(encoded(block, form, rate_hz), form, read_all, rate_hz)
    assert back.shape == block.shape
    if form in ("wav", "flac", "raw"):
        assert np.abs(back - block).max() < 2**-15
    else:
        assert loudness_of_difference_db(block, back) < -20


@pytest.mark.parametrize(("form", "channels"), combinations(list(range(1, 9)), "channels"))
def test_channels_keep_their_order(
    form: str, channels: int, tone: Tone, encoded: Encoded, read_all: ReadAll
) -> None:
    block = tone(5_001, channels=channels)
    back = read_back(encoded(block, form), form, read_all, channels=channels)
    assert back.shape == block.shape
    for channel in range(channels):
        differences = [
            loudness_of_difference_db(block[:, other], back[:, channel]) for other in range(channels)
        ]
        assert np.argmin(differences) == channel
        assert differences[channel] < -10


@pytest.mark.parametrize("samples", LENGTHS, ids=lambda samples: f"{samples} samples")
@pytest.mark.parametrize("form", FORMATS)
def test_length_is_exact(form: str, samples: int, tone: Tone, encoded: Encoded, read_all: ReadAll) -> None:
    if not (samples or FORMATS[form].holds_nothing):
        with pytest.raises(
            UsageProblem, match=f"{form} cannot hold a recording of no samples; choose wav or ogg"
        ):
            encoded(tone(0), form)
        return
    assert len(read_back(encoded(tone(samples), form), form, read_all)) == samples


@pytest.mark.parametrize(
    ("form", "subtype"), [(form, subtype) for form, known in FORMATS.items() for subtype in known.subtypes]
)
def test_full_scale_does_not_wrap_around(
    form: str, subtype: str, encoded: Encoded, read_all: ReadAll
) -> None:
    square = np.where(np.arange(4_000) // 80 % 2, 1.7, -1.7).astype(np.float32)[:, None]
    data = encoded(square, form, subtype=subtype)
    back = read_back(data, form, read_all, encoding=subtype)
    middle = back[40::80][5:-5]
    assert (np.sign(middle) == np.sign(square[40::80][5:-5])).all()
    assert (np.abs(middle) > 0.7).all()


@pytest.mark.parametrize("form", FORMATS)
def test_cutting_into_blocks_changes_nothing(
    form: str, tone: Tone, encoded: Encoded, read_all: ReadAll
) -> None:
    block = tone(20_001, channels=2)
    assert np.diff([0, 1, 1, 7, 5_000, 20_000]).max() > 3 * ENCODER_FRAMES
    file = io.BytesIO()
    with open_sink(file, form, 16_000, 2) as sink:
        for piece in np.split(block, [0, 1, 1, 7, 5_000, 20_000]):
            sink.write(piece)
    in_pieces = read_back(file.getvalue(), form, read_all, channels=2)
    np.testing.assert_array_equal(in_pieces, read_back(encoded(block, form), form, read_all, channels=2))


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_flac_holds_the_integers_it_is_given(subtype: str, encoded: Encoded, read_all: ReadAll) -> None:
    bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}[subtype]
    values = np.random.default_rng(1).integers(-(1 << bits - 1), 1 << bits - 1, (3_000, 2))
    block = (values / (1 << bits - 1)).astype(np.float32)
    data = encoded(block, "flac", subtype=subtype)
    assert soundfile.info(io.BytesIO(data)).subtype == subtype
    np.testing.assert_array_equal(read_back(data, "flac", read_all, channels=2), block)


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "raw"])
def test_equal_input_gives_equal_bytes(form: str, tone: Tone, encoded: Encoded) -> None:
    assert encoded(tone(3_000), form) == encoded(tone(3_000), form)


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.wav", "wav"), ("a.WAVE", "wav"), ("b/a.b.flac", "flac"), ("a.oga", "ogg"), ("a.pcm", "raw")],
)
def test_suffix_chooses_the_format(name: str, form: str) -> None:
    assert format_for(name) == form
    assert format_for(Path(name)) == form


@pytest.mark.parametrize("name", ["a.m4a", "a", ".wav"])
def test_unknown_suffix_is_a_usage_problem_that_lists_the_known(name: str) -> None:
    with pytest.raises(UsageProblem, match="must be one of .wav, .wave, .flac, .ogg"):
        format_for(name)


@pytest.mark.parametrize(
    ("form", "options", "problem"),
    [
        (
            "opus",
            {"rate_hz": 44_100},
            "8000, 12000, 16000, 24000 or 48000 Hz, not 44100; choose one with --rate",
        ),
        ("mp3", {"rate_hz": 96_000}, "44100 or 48000 Hz, not 96000"),
        ("ogg", {"rate_hz": 200_001}, "4000 to 200000 Hz, not 200001"),
        ("wav", {"rate_hz": 384_001}, "4000 to 384000 Hz"),
        ("opus", {"channels": 6}, "1 to 5 channels, not 6"),
        ("mp3", {"channels": 3}, "1 to 2 channels, not 3"),
        ("wav", {"channels": 9}, "1 to 8 channels, not 9"),
        ("wav", {"subtype": "pcm_12"}, "no subtype 'pcm_12'; it has PCM_16, PCM_U8"),
        ("flac", {"subtype": "FLOAT"}, "no subtype 'FLOAT'; it has PCM_16"),
        ("raw", {"subtype": "s20"}, "'s20' is unknown"),
    ],
    ids=lambda value: " ".join(map(str, *value.items())) if isinstance(value, dict) else None,
)
def test_what_a_format_cannot_hold_is_a_usage_problem_that_says_what_it_can(
    form: str, options: dict[str, int], problem: str, one_way: BinaryIO
) -> None:
    with pytest.raises(UsageProblem, match=problem):
        open_sink(one_way, form, **{"rate_hz": 16_000, "channels": 1} | options)  # type: ignore[arg-type]
    assert one_way.received == b""  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "subtype"), [("pcm24", "PCM_24"), ("PCM-24", "PCM_24"), ("float", "FLOAT")])
def test_subtype_names_may_be_spelled_in_several_ways(name: str, subtype: str) -> None:
    assert FORMATS["wav"].subtype_named(name) == subtype


@pytest.mark.parametrize("form", ["wav", "flac", "raw"])
@pytest.mark.parametrize("way", ["appending", "behind a preamble"])
def test_what_was_in_the_file_before_stays(
    form: str, way: str, tone: Tone, tmp_path: Path, read_all: ReadAll
) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with path.open("ab" if way == "appending" else "r+b") as file:
        file.seek(6)
        with open_sink(file, form, 16_000, 1) as sink:
            sink.write(tone(1_000))
    data = path.read_bytes()
    assert data[:6] == b"before"
    assert len(read_back(data[6:], form, read_all)) == 1_000
    if form == "wav":
        assert struct.unpack_from("<I", data, 10)[0] == (0xFFFFFFFF if way == "appending" else len(data) - 14)


@pytest.mark.parametrize("form", FORMATS)
def test_full_disk_is_reported_as_such_and_nothing_else_is_printed(
    form: str, tone: Tone, capfd: pytest.CaptureFixture[str]
) -> None:
    def write_all() -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            sink = open_sink(cast(BinaryIO, full), form, 16_000, 1)
            try:
                for _ in range(30):
                    sink.write(tone(4_000))
                sink.finish()
            except OSError:
                sink.abort()
                raise

    with pytest.raises(OSError, match="No space left"):
        write_all()
    assert capfd.readouterr() == ("", "")


class Interrupted(io.BytesIO):
    """A file on whose third write the user presses Ctrl-C."""

    count = 0

    def write(self, data: object) -> int:
        self.count += 1
        if self.count == 3:
            raise KeyboardInterrupt
        return super().write(cast(bytes, data))


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "opus", "mp3"])
def test_interrupt_is_not_lost_in_the_encoder(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (4_000, 1)).astype(np.float32)
    with pytest.raises(KeyboardInterrupt), open_sink(Interrupted(), form, 16_000, 1) as sink:
        for _ in range(100):
            sink.write(noise)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("form", FORMATS)
def test_samples_that_are_not_sound_are_written_as_silence(
    form: str, tone: Tone, encoded: Encoded, read_all: ReadAll
) -> None:
    broken, mended = tone(5_000), tone(5_000)
    for position, value in ((10, np.nan), (4_100, np.inf), (4_200, -np.inf)):
        broken[position], mended[position] = value, 0
    np.testing.assert_array_equal(
        read_back(encoded(broken, form), form, read_all), read_back(encoded(mended, form), form, read_all)
    )
    assert np.isnan(broken[10])  # the caller's block is left alone


def test_block_of_the_wrong_shape_is_refused(one_way: BinaryIO, tone: Tone) -> None:
    sink = open_sink(one_way, "wav", 16_000, 2)
    for block in (tone(10), tone(10)[:, 0]):
        with pytest.raises(ValueError, match="for 2 channels"):
            sink.write(block)


def test_failure_inside_the_block_leaves_the_header_unfinished(tone: Tone) -> None:
    file = io.BytesIO()
    with pytest.raises(ZeroDivisionError), open_sink(file, "wav", 16_000, 1) as sink:
        sink.write(tone(100))
        sink.write(tone(100 // 0))
    assert struct.unpack_from("<I", file.getvalue(), 4)[0] == 0xFFFFFFFF


def test_file_stays_open_for_its_owner(tone: Tone, encoded: Encoded, tmp_path: Path) -> None:
    for form in FORMATS:
        with (tmp_path / "out").open("w+b") as file:
            with open_sink(file, form, 16_000, 1) as sink:
                sink.write(tone(1_000))
            file.seek(0, os.SEEK_END)
            assert file.tell() > 100
