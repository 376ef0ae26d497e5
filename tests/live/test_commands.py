"""`compress --live` and `decompress --live`: what goes in comes out, and what cannot be live is refused in one line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mlcfile import Reader
from numpy.typing import NDArray

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.models.bundle import load_bundle
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.span import Span
from tests.live.conftest import RATE_HZ
from tests.phoenix.systems import assert_close, decoded, encoded
from tests.sounds import noise, wav

LIVE = ["compress", "-q", "--live", "--profile", "small-live"]
Capture = pytest.CaptureFixture[str]
FRAME = 288


def test_a_live_stream_holds_what_the_whole_is_coded_to_and_plays_it(
    home: Path, live_bundle: Path, talk: NDArray[np.float32]
) -> None:
    assert main([*LIVE, "talk.wav", "talk.mlc"]) == ExitCode.OK
    assert main(["decompress", "-q", "--live", "talk.mlc", "out.wav"]) == ExitCode.OK
    system = load_bundle(live_bundle).system
    assert isinstance(system, Phoenix)
    padded = np.pad(talk, (0, -len(talk) % FRAME))
    whole = Span(0, len(padded) // FRAME, 0)
    [indices] = encoded(system, padded, whole)
    chunks = list(Reader(io.BytesIO(Path("talk.mlc").read_bytes())))
    assert np.array_equal(np.concatenate([chunk.indices[0] for chunk in chunks]), indices)
    heard, rate_hz = soundfile.read("out.wav", dtype="float32")
    assert rate_hz == RATE_HZ
    [expected] = decoded(system, indices, whole)
    assert np.abs(heard - np.clip(expected, -1, 1)).max() < 1e-4


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "--live", "--profile", "small-live", "talk.wav", "again.mlc"],
        ["decompress", "--live", "talk.mlc", "again.wav"],
    ],
    ids=["compress", "decompress"],
)
def test_the_time_that_is_told_holds_all_computing(arguments: list[str], home: Path, capsys: Capture) -> None:
    main([*LIVE, "talk.wav", "talk.mlc"])
    assert main([*arguments, "--verbose", "--json"]) == ExitCode.OK
    told = capsys.readouterr()
    (packet_ms,) = re.findall(r"computed for (\S+) ms a packet", told.err)
    rounding_ms = 0.05
    assert 1000 * json.loads(told.out)["elapsed_s"] >= 50 * (float(packet_ms) - rounding_ms) > 0


def test_raw_pipes_give_the_same_as_files(
    home: Path,
    talk: NDArray[np.float32],
    feed: Callable[[bytes], None],
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    main([*LIVE, "talk.wav", "talk.mlc"])
    raw = ["--raw", "--rate", str(RATE_HZ), "--format", "f32le"]
    feed(talk.astype("<f4").tobytes())
    assert main([*LIVE, *raw, "-", "-"]) == ExitCode.OK
    sent = capsysbinary.readouterr().out
    assert sent == Path("talk.mlc").read_bytes()
    feed(sent)
    assert main(["decompress", "-q", "--live", "--raw", "--format", "f32le", "-", "-"]) == ExitCode.OK
    heard = np.frombuffer(capsysbinary.readouterr().out, "<f4")
    assert len(heard) == -(-len(talk) // FRAME) * FRAME and np.abs(heard).max() > 0.01


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_other_rates_of_a_live_model_need_no_resampling(home: Path, rate_hz: int, capsys: Capture) -> None:
    Path("other.wav").write_bytes(wav(noise(0.25, rate_hz), rate_hz))
    assert main([*LIVE[:1], *LIVE[2:], "-v", "other.wav", "other.mlc"]) == ExitCode.OK
    said = capsys.readouterr().err
    assert f"live at {rate_hz} Hz, with a delay of 30.0 ms" in said and "ms a packet" in said
    assert main(["decompress", "-v", "--live", "other.mlc", "out.wav"]) == ExitCode.OK
    said = capsys.readouterr().err
    assert "with a delay of 30.0 ms" in said and "ms a packet" in said
    heard, heard_hz = soundfile.read("out.wav")
    assert heard_hz == rate_hz and 0.25 <= len(heard) / rate_hz <= 0.262
    assert main(["decompress", "-q", "--live", "--rate", "model", "other.mlc", "model.wav"]) == ExitCode.OK
    assert soundfile.info("model.wav").samplerate == RATE_HZ


def test_pairs_come_a_frame_later_and_cost_less(home: Path, capsys: Capture) -> None:
    rate = ["--bitrate", "500"]  # one stage of 6 bits
    assert main([*LIVE, *rate, "talk.wav", "one.mlc"]) == ExitCode.OK
    assert (
        main(["compress", "--live", *LIVE[3:], *rate, "--packet-frames", "4", "-v", "talk.wav", "four.mlc"])
        == 0
    )
    assert "with a delay of 66.0 ms" in capsys.readouterr().err
    one, four = (Path(name).stat().st_size for name in ("one.mlc", "four.mlc"))
    assert four - 27 < 0.85 * (one - 27)
    for name in ("one", "four"):
        assert main(["decompress", "-q", "--live", f"{name}.mlc", f"{name}.wav"]) == ExitCode.OK
    a, b = (soundfile.read(f"{name}.wav", dtype="float32")[0] for name in ("one", "four"))
    assert_close(a[: len(talk_frames(a))], b[: len(talk_frames(a))])


def talk_frames(heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """All but what the last packet was filled up with."""
    return heard[: -4 * FRAME]


def test_a_mixed_recording_is_played_on_all_its_channels(home: Path) -> None:
    Path("two.wav").write_bytes(wav(noise(0.3, RATE_HZ, channels=2), RATE_HZ))
    assert main([*LIVE, "two.wav", "two.mlc"]) == ExitCode.OK
    assert main(["decompress", "-q", "--live", "two.mlc", "out.wav"]) == ExitCode.OK
    heard, _ = soundfile.read("out.wav")
    assert heard.shape[1] == 2 and np.array_equal(heard[:, 0], heard[:, 1])


def test_info_and_verify_know_a_live_file(home: Path, capsys: Capture) -> None:
    main([*LIVE, "talk.wav", "talk.mlc"])
    capsys.readouterr()
    assert main(["info", "talk.mlc"]) == ExitCode.OK
    said = capsys.readouterr().out
    assert "live" in said and "packets of 1 frame" in said and "small-live" in said
    assert main(["info", "--json", "talk.mlc"]) == ExitCode.OK
    (stream,) = json.loads(capsys.readouterr().out)["streams"]
    assert stream["packet_frames"] == 1 and stream["frames"] == 50 and stream["complete"]
    assert main(["verify", "talk.mlc"]) == ExitCode.OK
    data = Path("talk.mlc").read_bytes()
    Path("bad.mlc").write_bytes(data[:100] + b"?" + data[101:])
    assert main(["verify", "bad.mlc"]) == ExitCode.MLC_CORRUPT


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--live", "--profile", "speech-16k", "talk.wav"], "speech-16k codes whole chunks"),
        (["--live", "--profile", "small-live", "slow.wav"], "small-live takes 16000 or 24000 or 48000 Hz, not 8000"),
        (["--live", "--profile", "small-live", "talk.flac"], "only WAV, AU and raw PCM"),
        (["--live", "--profile", "small-live", "--channels", "keep", "talk.wav"], "--channels keep cannot be"),
        (["--live", "--profile", "small-live", "--chunk-seconds", "1", "talk.wav"], "--chunk-seconds cannot be"),
        (["--live", "--profile", "small-live", "--bitrate", "7k", "talk.wav"], "small-live offers 500, 1k"),
        (["--live", "--profile", "small-live", "--effort", "2", "talk.wav"], "--effort cannot be combined with --live"),
        (["--packet-frames", "2", "talk.wav"], "--packet-frames needs --live"),
    ],
    ids=["model", "rate", "format", "channels", "chunks", "bit rate", "effort", "packets alone"],
)  # fmt: skip
def test_what_cannot_be_live_is_refused_in_one_line(
    home: Path, arguments: list[str], line: str, capsys: Capture
) -> None:
    Path("slow.wav").write_bytes(wav(noise(0.2, 8000), 8000))
    soundfile.write("talk.flac", noise(0.2, RATE_HZ), RATE_HZ)
    assert main(["compress", "-q", *arguments, "out.mlc"]) == ExitCode.USAGE
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and line in said[0]
    assert not Path("out.mlc").exists()


def test_a_stream_that_is_not_what_it_should_be_is_named_in_one_line(home: Path, capsys: Capture) -> None:
    main([*LIVE, "talk.wav", "talk.mlc"])
    main(["compress", "-q", "--profile", "small-live", "talk.wav", "whole.mlc"])
    data = Path("talk.mlc").read_bytes()
    Path("middle.mlc").write_bytes(data[100:])
    Path("short.mlc").write_bytes(data[:20])
    Path("empty.mlc").write_bytes(b"")
    Path("other.mlc").write_bytes(_of_another_model(data))
    cases = {
        "middle.mlc": (["--live"], ExitCode.MLC_CORRUPT, "can be heard from its beginning only"),
        "short.mlc": (["--live"], ExitCode.MLC_CORRUPT, "ends within its header"),
        "empty.mlc": (["--live"], ExitCode.MLC_CORRUPT, "is empty"),
        "talk.wav": (["--live"], ExitCode.MLC_CORRUPT, "looks like a WAV file"),
        "other.mlc": (["--live"], ExitCode.MODEL, "needs a bundle of bitstream id 00000000"),
        "whole.mlc": (["--live"], ExitCode.USAGE, "not a live stream: decompress it without --live"),
        "talk.mlc": ([], ExitCode.USAGE, "a live stream: decompress it with --live"),
    }
    capsys.readouterr()
    for name, (options, code, line) in cases.items():
        assert main(["decompress", "-q", *options, name, "-o", "out.wav"]) == code, name
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and said[0].startswith(f"melcodec: {name}: ") and line in said[0], said
        assert not Path("out.wav").exists()


def _of_another_model(data: bytes) -> bytes:
    from zlib import crc32

    place = data.index(Reader(io.BytesIO(data)).header.bitstream_id)
    head = data[:place] + bytes(4) + data[place + 4 : 25]
    return head + (crc32(head) & 0xFFFF).to_bytes(2, "big") + data[27:]


def test_a_damaged_stream_is_played_in_full_length_and_the_places_are_named(
    home: Path, capsys: Capture
) -> None:
    Path("talk.wav").write_bytes(wav(noise(2.2, RATE_HZ), RATE_HZ))
    main([*LIVE, "talk.wav", "talk.mlc"])
    main(["decompress", "-q", "--live", "talk.mlc", "sound.wav"])
    data = Path("talk.mlc").read_bytes()
    Path("hole.mlc").write_bytes(data[:500] + data[513:])
    capsys.readouterr()
    assert main(["decompress", "-q", "--live", "hole.mlc", "hole.wav"]) == ExitCode.OK
    said = capsys.readouterr().err
    assert "the check of a live chunk does not match" in said and "lost 1." in said
    whole, holed = (soundfile.read(f"{name}.wav", dtype="float32")[0] for name in ("sound", "hole"))
    assert len(holed) == len(whole)
    assert np.array_equal(holed[: RATE_HZ // 2], whole[: RATE_HZ // 2])
    Path("cut.mlc").write_bytes(data[:502])
    assert main(["decompress", "-q", "--live", "cut.mlc", "cut.wav"]) == ExitCode.MLC_CORRUPT
    assert "ends within a packet" in capsys.readouterr().err


@pytest.mark.slow
def test_bench_reports_the_delay_of_a_paced_pipe_and_the_streams_a_core_carries(
    home: Path, live_bundle: Path, capsys: Capture
) -> None:
    arguments = ["bench", "--live", "--bundle", str(live_bundle), "--seconds", "1"]
    assert main([*arguments, "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["frame_s"], found["delay_s"]) == ("small-live", 0.012, 0.030)
    assert found["encoded_streams"] == int(0.012 / found["encode_s"])
    assert found["pipe"]["frames"] == 83 - 40
    assert 0 < found["pipe"]["median_s"] <= found["pipe"]["late_s"] <= found["pipe"]["longest_s"]
