"""info shows what a file holds, and which installed model decodes it."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from melcodec_cli.cli import main
from tests.commands.conftest import Stream


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which bundles are looked for."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    monkeypatch.setenv("MELCODEC_BUNDLES", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    return folder


def install_bundle(folder: Path, bitstream_id: str, renderer_id: str) -> None:
    metadata = {
        "format": "melcodec-bundle-1",
        "name": "test-bundle",
        "profile": "{}",
        "bitstream_id": bitstream_id,
        "renderer_id": renderer_id,
        "licence": "CC0-1.0",
        "training": "{}",
    }
    header = json.dumps({"__metadata__": metadata}).encode()
    (folder / "test.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)


def facts(output: str) -> dict[str, str]:
    """The lines of info as a dictionary; lines without a label belong to the one above."""
    found: dict[str, str] = {}
    label = ""
    for line in output.splitlines()[1:]:
        label, value = line[2:16].strip() or label, line[16:]
        found[label] = f"{found[label]}|{value}" if label in found else value
    return found


def shown(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    path = tmp_path / "talk.mlc"
    path.write_bytes(content)
    assert main(["info", str(path)]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out.splitlines()[0] == str(path)
    return facts(captured.out)


def test_all_facts_of_a_file_are_shown(
    stream: Stream, tmp_path: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stream(50, tags={"TITLE": "A talk", "ARTIST": "Somebody"})
    bits_per_s = 8 * len(data) / 50
    payload, other = 1563, len(data) - 1563 - 36
    assert shown(data, tmp_path, capsys) == {
        "original": "50.00 s, 2400000 samples at 48000 Hz, 2 channels, coded as one",
        "size": f"{len(data)} bytes: {payload} of indices, 36 of global indices, {other} of everything else",
        "bitrate": f"255.8 bit/s payload, {bits_per_s:.1f} bit/s in all",
        "frames": "25 a second, an index of 10 bits each",
        "global": "32 indices of 3 bits a chunk",
        "chunks": "3 of up to 20.00 s",
        "blocks": "1 TAGS, 3 CODES, 1 END",
        "bitstream id": "01020304 (not installed, so the file cannot be decoded)",
        "renderer id": "a0b0 (not installed)",
        "model": "install a bundle with 'melcodec models add FILE'",
        "format": "version 1.0",
        "tags": "TITLE=A talk|ARTIST=Somebody",
    }


@pytest.mark.parametrize(
    ("bitstream_id", "renderer_id", "bitstream", "renderer"),
    [
        ("01020304", "a0b0", "01020304 (installed: test-bundle)", "a0b0 (installed)"),
        (
            "01020304",
            "ffff",
            "01020304 (installed: test-bundle)",
            "a0b0 (not installed; ffff will sound a little different)",
        ),
        (
            "ffffffff",
            "a0b0",
            "01020304 (not installed, so the file cannot be decoded)",
            "a0b0 (not installed)",
        ),
    ],
    ids=["both ids installed", "another renderer", "another model"],
)
def test_installed_models_are_recognised_by_their_ids(
    bitstream_id: str,
    renderer_id: str,
    bitstream: str,
    renderer: str,
    stream: Stream,
    tmp_path: Path,
    bundles: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install_bundle(bundles, bitstream_id, renderer_id)
    found = shown(stream(1), tmp_path, capsys)
    assert (found["bitstream id"], found["renderer id"]) == (bitstream, renderer)


def test_the_latency_of_a_pipe_is_shown_if_the_model_is_known(
    stream: Stream, tmp_path: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "latency" not in shown(stream(1), tmp_path, capsys)
    install_bundle(bundles, "01020304", "a0b0")
    found = shown(stream(1), tmp_path, capsys)
    assert found["latency"] == "20.96 s to compress, 40.00 s to decompress"


def test_a_recording_of_no_samples_is_shown_without_a_bitrate(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(stream(0), tmp_path, capsys)
    assert found["original"].startswith("0.00 s, 0 samples") and "bitrate" not in found


def test_each_of_several_streams_is_shown(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.mlc"
    path.write_bytes(stream(1) + stream(2))
    assert main(["info", str(path)]) == 0
    output = capsys.readouterr().out
    assert [line for line in output.splitlines() if not line.startswith(" ")] == [
        f"{path}, stream 1",
        f"{path}, stream 2",
    ]


def test_a_damaged_file_is_shown_as_far_as_it_goes_and_exits_4(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.mlc"
    path.write_bytes(stream()[:1000])
    assert main(["info", str(path)]) == 4
    captured = capsys.readouterr()
    found = facts(captured.out)
    assert (found["chunks"], found["lost"]) == ("1 of up to 20.00 s", "20.00-50.00 s")
    assert captured.err == f"melcodec: {path}: truncated: lost 20.00-50.00 s of 50.00 s\n"


def test_json_has_a_line_a_file_with_stable_keys(
    stream: Stream, tmp_path: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_bundle(bundles, "01020304", "a0b0")
    data = stream(10, tags={"TITLE": "\x1b[2J"})
    (tmp_path / "good.mlc").write_bytes(data)
    (tmp_path / "none.mlc").write_bytes(b"")
    assert main(["info", "--json", str(tmp_path / "good.mlc"), str(tmp_path / "none.mlc")]) == 8
    good, none = map(json.loads, capsys.readouterr().out.splitlines())
    (shown_stream,) = good["streams"]
    assert {key: good[key] for key in good if key != "streams"} == {
        "source": str(tmp_path / "good.mlc"),
        "exit_code": 0,
        "error": None,
        "mlc_bytes": len(data),
        "duration_s": 10.0,
    }
    assert shown_stream == {
        "version": "1.0",
        "bitstream_id": "01020304",
        "renderer_id": "a0b0",
        "rate_hz": 48000,
        "channels": 2,
        "coded_channels": 1,
        "samples": 480000,
        "duration_s": 10.0,
        "mlc_bytes": len(data),
        "payload_bits": 2596,
        "payload_bits_per_s": 259.6,
        "total_bits_per_s": round(8 * len(data) / 10, 2),
        "layout": {
            "index_bits": 10,
            "rows": 1,
            "kind": "stages",
            "model_rate_hz": 16000,
            "frame_samples": 640,
            "chunk_frames": 500,
        },
        "globals": {"count": 32, "bits": 3, "scope": "chunk"},
        "entropy": None,
        "packet_frames": None,
        "frames": 250,
        "chunks": 1,
        "blocks": {"TAGS": 1, "CODES": 1, "END": 1},
        "tags": [["TITLE", "\x1b[2J"]],
        "complete": True,
        "damage": [],
        "lost_s": [],
        "bundle": "test-bundle",
        "bundle_licence": "CC0-1.0",
        "bundle_renders": True,
        "latency": {"compress_s": 20.96, "decompress_s": 40.0},
    }
    assert (none["exit_code"], none["streams"], none["mlc_bytes"]) == (4, [], 0)


def test_control_characters_of_tags_and_names_are_shown_not_sent(
    stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a\nb.mlc"
    path.write_bytes(stream(1, tags={"TITLE": "\x1b]0;owned\x07", "COMMENT": "one\ntwo"}))
    assert main(["info", str(path)]) == 0
    output = capsys.readouterr().out
    assert not {"\x1b", "\x07"} & set(output)
    assert "a\\nb.mlc\n" in output and "TITLE=\\x1b]0;owned\\x07" in output and "one\\ntwo" in output


@pytest.mark.parametrize("command", ["info", "verify"])
def test_neither_torch_nor_an_audio_library_is_needed(command: str, stream: Stream, tmp_path: Path) -> None:
    path = tmp_path / "talk.mlc"
    path.write_bytes(stream(1))
    # Importing any of these fails, as it would where they are not installed.
    script = (
        "import sys\n"
        "for name in ('torch', 'soundfile', 'soxr', 'safetensors', 'scipy', 'rich', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        "from melcodec_cli.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, command, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"MELCODEC_DEBUG": "1"},
    )
    assert (result.returncode, result.stderr) == (0, "")
