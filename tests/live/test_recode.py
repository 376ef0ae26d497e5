"""`recode` cuts a file to what compressing at the lower rate makes, and never needs torch."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mlcfile import Chunk, Globals, Header, Layout, Reader, Writer

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from tests.sounds import noise, wav

Capture = pytest.CaptureFixture[str]
COMPRESS = ["compress", "-q", "--profile", "small-live"]


@pytest.mark.parametrize("live", [[], ["--live", "--packet-frames", "2"]], ids=["file", "live"])
def test_a_cut_file_is_the_one_that_compressing_at_that_rate_makes(home: Path, live: list[str]) -> None:
    how = live or ["--effort", "1"]  # a search at a lower rate finds other indices
    assert main([*COMPRESS, *how, "talk.wav", "six.mlc"]) == ExitCode.OK
    assert main([*COMPRESS, *how, "--bitrate", "1k", "talk.wav", "two.mlc"]) == ExitCode.OK
    assert main(["recode", "-q", "--bitrate", "1k", "six.mlc", "cut.mlc"]) == ExitCode.OK
    assert Path("cut.mlc").read_bytes() == Path("two.mlc").read_bytes()
    for name in ("cut", "two"):
        assert main(["decompress", "-q", *live[:1], f"{name}.mlc", f"{name}.wav"]) == ExitCode.OK
    heard = [soundfile.read(f"{name}.wav")[0] for name in ("cut", "two")]
    assert np.array_equal(*heard) and np.abs(heard[0]).max() > 0


def test_it_runs_without_torch(home: Path) -> None:
    main([*COMPRESS, "talk.wav", "six.mlc"])
    script = (
        "import sys; from melcodec_cli.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or ', '.join({'torch', 'soundfile', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "recode", "--bitrate", "500", "six.mlc", "one.mlc"],
        capture_output=True,
        text=True,
        check=False,
    )
    sizes = [Path(name).stat().st_size for name in ("one.mlc", "six.mlc")]
    assert (done.returncode, done.stderr) == (0, f"melcodec: one.mlc: {sizes[0]} bytes (was {sizes[1]})\n")


def test_tags_and_foreign_blocks_stay_and_a_pipe_is_cut_too(
    home: Path, feed: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    layout = Layout(6, 3, "stages", 24_000, 288, 10)
    header = Header(b"none", b"st", 24_000, 1, 20 * 288, layout=layout, globals_=Globals(2, 3, "stream"))
    with open("own.mlc", "w+b") as file, Writer(file, header) as writer:
        writer.write_tags({"TITLE": "kept"})
        writer.write_ancillary(0xF0, b"whatever")
        for _ in range(2):
            writer.write_globals([[1, 7]])
            writer.write_chunk(np.arange(30).reshape(1, 10, 3))
    feed(Path("own.mlc").read_bytes())
    assert main(["recode", "-q", "--bitrate", "1000", "-", "-"]) == ExitCode.OK
    reader = Reader(io.BytesIO(capsysbinary.readouterr().out))
    blocks = list(reader.blocks())
    assert [block.name for block in blocks] == ["TAGS", "0xf0", "GLOBAL", "CODES", "GLOBAL", "CODES", "END"]
    assert reader.tags == [("TITLE", "kept")] and blocks[1].body == b"whatever"
    first = blocks[3].content
    assert isinstance(first, Chunk)
    assert np.array_equal(first.indices[0], np.arange(30).reshape(10, 3)[:, :2])


def test_an_entropy_coded_file_is_coded_with_the_same_tables(
    home: Path, tabled_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("melcodec_cli.models.installed.bundle_folders", lambda: [tabled_bundle.parent])
    Path("slow.wav").write_bytes(wav(noise(2)))
    assert main(["compress", "-q", "slow.wav", "slow.mlc"]) == ExitCode.OK
    assert main(["recode", "-q", "--bitrate", "250", "slow.mlc", "same.mlc"]) == ExitCode.OK
    assert Path("same.mlc").read_bytes() == Path("slow.mlc").read_bytes()
    monkeypatch.setattr("melcodec_cli.models.installed.bundle_folders", lambda: [])
    assert main(["recode", "--bitrate", "250", "slow.mlc", "lost.mlc"]) == ExitCode.MODEL
    assert "the bundle that has them is not installed" in capsys.readouterr().err


def test_what_cannot_be_cut_is_refused_and_what_could_be_is_listed(home: Path, capsys: Capture) -> None:
    main([*COMPRESS, "--bitrate", "1500", "talk.wav", "three.mlc"])
    main(["compress", "-q", "--profile", "speech-16k", "talk.wav", "speech.mlc"])
    data = Path("three.mlc").read_bytes()
    Path("cut.mlc").write_bytes(data[:-20])
    cases = {
        ("3k", "three.mlc"): (ExitCode.USAGE, "--bitrate 3k: the file can be cut to 500, 1k, 1.5k bit/s"),
        ("1k", "speech.mlc"): (ExitCode.USAGE, "--bitrate 1k: the file can be cut to 250 bit/s"),
        ("1k", "cut.mlc"): (ExitCode.MLC_CORRUPT, "the stream ends before its END block"),
        ("1k", "talk.wav"): (ExitCode.MLC_CORRUPT, "it looks like a WAV file"),
        ("1k", "none.mlc"): (ExitCode.USAGE, "no such file or directory"),
    }
    capsys.readouterr()
    for (rate, name), (code, line) in cases.items():
        assert main(["recode", "--bitrate", rate, name, "out.mlc"]) == code
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and f"{name}: " in said[0] and line in said[0], said
        assert not Path("out.mlc").exists()
    assert main(["recode", "--bitrate", "500", "three.mlc", "speech.mlc"]) == ExitCode.OUTPUT
    assert main(["recode", "--bitrate", "500", "-f", "three.mlc", "three.mlc"]) == ExitCode.OUTPUT
    assert Path("three.mlc").read_bytes() == data
    assert main(["recode", "-q", "--bitrate", "500", "-f", "three.mlc", "speech.mlc"]) == ExitCode.OK
