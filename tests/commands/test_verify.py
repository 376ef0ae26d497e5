"""verify finds every damage, says where it is in seconds, and ends with the right code."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from mlcfile import Reader

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from tests.commands.conftest import Stream


def flipped(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


def chunk_offset(data: bytes, number: int) -> int:
    offsets = [block.offset for block in Reader(io.BytesIO(data)).blocks() if block.name == "CODES"]
    return offsets[number]


def verified(content: bytes, tmp_path: Path, *options: str) -> int:
    path = tmp_path / "talk.mlc"
    path.write_bytes(content)
    return main(["verify", *options, str(path)])


@pytest.mark.parametrize("length_known", [True, False], ids=["length in the header", "length at the end"])
def test_a_sound_file_is_called_sound(
    length_known: bool, stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream(length_known=length_known)
    assert verified(data, tmp_path) == 0
    path = tmp_path / "talk.mlc"
    assert capsys.readouterr() == (f"{path}: sound: 50.00 s in 3 chunks, {len(data)} bytes\n", "")
    assert verified(data, tmp_path, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("number", "lost"),
    [(0, "0.00-20.00 s"), (1, "20.00-40.00 s"), (2, "40.00-50.00 s")],
    ids=["first", "middle", "last"],
)
def test_a_flipped_bit_is_located_in_seconds(
    number: int, lost: str, stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream()
    offset = chunk_offset(data, number)
    assert verified(flipped(data, offset + 100), tmp_path) == 4
    where, verdict = capsys.readouterr().err.splitlines()
    assert f"(chunk {number}, from {20 * number:.2f} s, byte {offset})" in where
    assert verdict.endswith(f"damaged: lost {lost} of 50.00 s")


def test_damage_in_two_places_is_reported_twice(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream()
    first, last = chunk_offset(data, 0), chunk_offset(data, 2)
    assert verified(flipped(flipped(data, first + 50), last + 50), tmp_path) == 4
    *places, verdict = capsys.readouterr().err.splitlines()
    assert "chunk 0" in places[0] and "chunk 2" in places[1]
    assert verdict.endswith("lost 0.00-20.00 s of 50.00 s, 40.00-50.00 s of 50.00 s")


def test_a_truncated_file_says_what_is_lost(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream()
    assert verified(data[: chunk_offset(data, 2) + 10], tmp_path) == 4
    assert capsys.readouterr().err.endswith("truncated: lost 40.00-50.00 s of 50.00 s\n")


def test_a_truncated_file_of_unknown_length_says_what_is_there(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream(length_known=False)
    assert verified(data[: chunk_offset(data, 2)], tmp_path) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert "END" in line and line.endswith("40.00 s can be read")


def test_rubbish_after_the_end_is_damage(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream()
    assert verified(data + b"rubbish", tmp_path) == 4
    assert f"byte {len(data)}); 50.00 s can be read" in capsys.readouterr().err


def test_streams_one_after_the_other_are_all_checked(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = stream(), stream(10, seed=1)
    assert verified(first + second, tmp_path) == 0
    assert "60.00 s in 4 chunks" in capsys.readouterr().out
    assert verified(first + flipped(second, 200), tmp_path) == 4
    assert "lost 0.00-10.00 s of stream 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", ""),
        (b"RIFF\x24\0\0\0WAVEfmt ", "WAV"),
        (b"text, nothing but text", "not an .mlc file"),
    ],
    ids=["empty", "a WAV file", "text"],
)
def test_another_kind_of_file_exits_4(
    content: bytes, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(content, tmp_path) == 4
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and complaint in captured.err


def test_a_newer_version_exits_7(stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(stream())
    data[3] = 0x20
    assert verified(bytes(data), tmp_path) == 7
    assert "version 2" in capsys.readouterr().err


def test_a_file_that_is_not_there_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "none.mlc")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_one_bad_file_of_many_hides_none_and_exits_8(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mlc").write_bytes(stream(1))
    (tmp_path / "b.mlc").write_bytes(b"RIFF")
    (tmp_path / "c.mlc").write_bytes(stream(2))
    assert main(["verify", *map(str, sorted(tmp_path.iterdir()))]) == 8
    captured = capsys.readouterr()
    assert captured.out.count(": sound: ") == 2
    assert captured.err.endswith("melcodec: 2 sound, 1 failed\n")


def test_json_has_a_line_a_file_with_stable_keys(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream()
    assert verified(flipped(data, chunk_offset(data, 1) + 9), tmp_path, "--json") == 4
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    damage = record["streams"][0].pop("damage")
    assert record == {
        "source": str(tmp_path / "talk.mlc"),
        "status": "failed",
        "exit_code": 4,
        "error": "damaged: lost 20.00-40.00 s of 50.00 s",
        "mlc_bytes": len(data),
        "duration_s": 50.0,
        "streams": [{"complete": True, "lost_s": [[20.0, 40.0]]}],
    }
    assert [(found["chunk"], found["start_s"]) for found in damage] == [(1, 20.0)]


def test_standard_input_is_verified_as_it_comes(stream: Stream) -> None:
    command = [sys.executable, "-m", "melcodec_cli", "verify", "-"]
    for data, code in ((stream(), 0), (stream()[:-1], 4)):
        assert subprocess.run(command, input=data, capture_output=True, check=False).returncode == code


def test_control_characters_of_a_name_are_shown_not_sent(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a\x1b[2J.mlc"
    path.write_bytes(stream(1))
    assert main(["verify", str(path)]) == 0
    path.write_bytes(b"no")
    assert main(["verify", str(path)]) == 4
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert "a\\x1b[2J.mlc: sound" in captured.out and "a\\x1b[2J.mlc: " in captured.err


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
@pytest.mark.parametrize("command", ["verify", "info"])
def test_a_file_that_cannot_be_read_hides_no_other(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = tmp_path / "talk.mlc"
    path.write_bytes(stream())
    assert main([command, "/proc/self/mem", str(path)]) == ExitCode.BATCH
    out, err = capsys.readouterr()
    assert str(path) in out
    first, last = err.splitlines()
    assert first == "melcodec: /proc/self/mem: input/output error"
    assert last == "melcodec: 1 sound, 1 failed"
    assert main([command, "/proc/self/mem"]) == ExitCode.INTERNAL
