"""Decoding hostile files: bounded memory, bounded silence, and no text printed unescaped."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlcfile import Globals, Header, Layout, Writer
from mlcfile.blocks import CODES, END, pack_block, pack_end
from mlcfile.header_bytes import pack_header
from mlcfile.payload import pack_codes

import melcodec_cli
from melcodec_cli.audio import Resampler
from melcodec_cli.cli import main
from melcodec_cli.codec.playback import Playback
from melcodec_cli.errors import ExitCode, MlcCorrupt
from melcodec_cli.models.installed import read_bundle_info

pytestmark = pytest.mark.slow

MINUTE = 1500  # frames


def header_for(bundle: Path, samples: int, rate_hz: int = 16_000, channels: int = 1) -> Header:
    info = read_bundle_info(bundle)
    ids = bytes.fromhex(info.bitstream_id), bytes.fromhex(info.renderer_id)
    return Header(
        *ids, rate_hz, channels, samples, layout=Layout(chunk_frames=MINUTE), globals_=Globals(8, 3)
    )


def mostly_lost(bundle: Path, minutes: int, rate_hz: int = 16_000, channels: int = 1) -> bytes:
    """A stream of which only the first of so many minutes is there."""
    header = header_for(bundle, minutes * 60 * rate_hz, rate_hz, channels)
    head = pack_header(header)
    codes = pack_codes(header, np.zeros((1, MINUTE, 1), np.uint16), np.zeros((1, 8), np.uint16))
    end = pack_block(END, pack_end(minutes * MINUTE, None), minutes, head.seed)
    return head.data + pack_block(CODES, codes, 0, head.seed) + end


def short_stream(bundle: Path, tags: dict[str, str] | None = None) -> bytes:
    file = BytesIO()
    writer = Writer(file, header_for(bundle, 640))
    if tags:
        writer.write_tags(tags)
    writer.write_chunk(np.zeros((1, 1, 1), int), np.zeros((1, 8), int))
    writer.finish()
    return file.getvalue()


@pytest.fixture
def recording(tiny_bundle: Path, tmp_path: Path) -> Callable[..., Any]:
    def decompress(data: bytes, force: bool = False) -> Any:
        target = tmp_path / "out.wav"
        return melcodec_cli.decompress(data, target, conceal=True, force=force, bundle=str(tiny_bundle))

    return decompress


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_lost_costs_no_decoding_and_is_silence(tiny_bundle: Path) -> None:
    audio, rate_hz = melcodec_cli.decompress(
        mostly_lost(tiny_bundle, 4), conceal=True, bundle=str(tiny_bundle)
    )
    assert len(audio) == 4 * 60 * rate_hz
    assert np.abs(audio[: 60 * rate_hz]).max() > 0
    assert not audio[130 * rate_hz :].any()


def test_a_small_file_cannot_claim_hours(
    tiny_bundle: Path, tmp_path: Path, recording: Callable[..., Any]
) -> None:
    with pytest.raises(MlcCorrupt, match="3600 s are missing: more than could be read"):
        recording(mostly_lost(tiny_bundle, 40) * 2)
    with pytest.raises(MlcCorrupt, match="in a row"):
        recording(mostly_lost(tiny_bundle, 80))
    with pytest.raises(MlcCorrupt, match="more than 65 s are missing"):  # which would be six gigabytes
        recording(mostly_lost(tiny_bundle, 20, 384_000, 8))
    assert not (tmp_path / "out.wav").exists()


def test_a_chunk_takes_little_memory_at_any_rate_in_any_number_of_channels(tiny_bundle: Path) -> None:
    header = header_for(tiny_bundle, 60 * 384_000, 384_000, 8)
    playback = Playback(header, 384_000, 0, None)
    tracemalloc.start()
    samples = sum(len(block) for block in playback.process(np.zeros((1, 60 * 16_000), np.float32)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 59 * 384_000 < samples <= 60 * 384_000
    assert peak < 100 << 20


@pytest.mark.parametrize("samples", [0, 1 << 40], ids=["empty", "with a claim"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_headers_by_the_hundred_load_one_model_and_give_nothing(
    tiny_bundle: Path, recording: Callable[..., Any], samples: int
) -> None:
    assert recording(pack_header(header_for(tiny_bundle, samples)).data * 300).duration_s == 0


def test_streams_of_nothing_get_no_resampler(
    tiny_bundle: Path, recording: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each resampler takes 300 kB at this rate, and a megabyte holds thirty thousand empty streams."""
    made: list[Resampler] = []

    class Counted(Resampler):
        def __init__(self, *settings: int):
            super().__init__(*settings)
            made.append(self)

    monkeypatch.setattr("melcodec_cli.codec.playback.Resampler", Counted)
    head = pack_header(header_for(tiny_bundle, 0, 384_000, 8))
    empty = head.data + pack_block(END, pack_end(0, None), 0, head.seed)
    assert recording(empty * 20).duration_s == 0
    assert not made
    one = header_for(tiny_bundle, 1, 384_000, 8)
    file = BytesIO()
    with Writer(file, one) as writer:
        writer.write_chunk(np.zeros((1, 1, 1), int), np.zeros((1, 8), int))
    assert recording(empty * 20 + file.getvalue() + empty, force=True).duration_s == pytest.approx(
        1 / 384_000
    )
    assert len(made) == 1


def test_a_stream_of_one_frame_repeated_is_decoded(tiny_bundle: Path, recording: Callable[..., Any]) -> None:
    assert recording(short_stream(tiny_bundle) * 50).duration_s == pytest.approx(50 * 0.04)


def test_info_shows_no_more_streams_than_anyone_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], only_tiny_bundle: Path
) -> None:
    file = tmp_path / "many.mlc"
    head = pack_header(header_for(only_tiny_bundle, 0))
    file.write_bytes((head.data + pack_block(END, pack_end(0, None), 0, head.seed)) * 1010)
    assert main(["info", str(file)]) == ExitCode.OK
    assert "and 10 more streams" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["info", "verify", "decompress"])
def test_tags_and_names_with_escapes_print_harmlessly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    only_tiny_bundle: Path,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[2J\nb\u202e.mlc"
    stream = short_stream(only_tiny_bundle, {"TITLE": "\x1b]0;owned\x07\r\n\u2028next", "A[31m": "\x9b31m"})
    Path(name).write_bytes(stream)
    Path("cut" + name).write_bytes(stream[:-3])
    for path, code in ((name, ExitCode.OK), ("cut" + name, ExitCode.MLC_CORRUPT)):
        for option in ([], ["--json"]):
            force = ["--force"] if command == "decompress" else []
            assert main([command, path, *option, *force]) == code
            out, err = capsys.readouterr()
            assert out or err
            assert all(line.isprintable() for line in (out + err).split("\n"))
    # Nothing but what was named.
    written = {"a\x1b[2J\nb\u202e.wav", "cuta\x1b[2J\nb\u202e.wav"} if command == "decompress" else set()
    assert {each.name for each in tmp_path.iterdir()} <= {name, "cut" + name} | written
