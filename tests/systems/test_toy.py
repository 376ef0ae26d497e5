"""A new system takes one class and one line in the registry: this one is run through the whole command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlcfile
import numpy as np
import pytest
import soundfile

import melcodec_cli
from melcodec_cli.cli import main
from melcodec_cli.errors import UsageProblem
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.systems import registry
from melcodec_cli.systems.registry import build_system
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Streaming
from melcodec_cli.train.presets import read_preset
from tests.sounds import noise, wav
from tests.systems.toy import Toy

pytestmark = pytest.mark.slow

PLACE = "tests.systems.toy:Toy"
PRESET = """
[profile]
system = "toy"
name = "toy"

[corpus]
speed_copies = 0

[stages.net.run]
batch = 2
seconds = 0.5
rate = 1e-2
warmup_steps = 1
steps = 60
ema = 0.5
dev_steps = 2
dev_seconds = 0.5
bfloat16 = false

[stages.net.losses]
squared = 2.0
"""


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SYSTEMS, "toy", PLACE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two speakers, a preset, and a bundle that was trained with it."""
    home = tmp_path_factory.mktemp("toy")
    (home / "toy.toml").write_text(PRESET)
    for speaker in ("one", "two"):
        (home / "data" / speaker).mkdir(parents=True)
        (home / "data" / speaker / "talk.wav").write_bytes(wav(noise(3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.SYSTEMS, "toy", PLACE)
        at = ["--preset", str(home / "toy.toml"), "--data", str(home / "data")]
        assert main(["train", "net", *at, "--run", str(home / "run")]) == 0
        assert main(["bundle", "pack", str(home / "run"), str(home / "toy.safetensors"), *at]) == 0
    return home


@pytest.fixture
def installed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the bundle for the user, and put a recording in the current folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("MELCODEC_BUNDLES", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["models", "add", str(home / "toy.safetensors")]) == 0
    Path("talk.wav").write_bytes(wav(noise(3)))
    return home


def test_training_makes_it_better(home: Path) -> None:
    with (home / "run" / "net" / "log.csv").open(newline="") as file:
        errors = [float(row["dev_error"]) for row in csv.DictReader(file)]
    assert 0 < errors[-1] < errors[0] / 2


def test_its_bundle_says_what_it_is(home: Path) -> None:
    info = read_bundle_info(home / "toy.safetensors")
    assert info.system == "toy"
    assert info.shape == build_system(info.profile).shape
    assert info.suits == ("sound",)


def test_a_recording_goes_through_and_comes_back(installed: Path) -> None:
    assert main(["compress", "-q", "--profile", "toy", "talk.wav", "talk.mlc"]) == 0
    assert main(["verify", "talk.mlc"]) == 0
    assert main(["decompress", "-q", "talk.mlc", "back.wav"]) == 0
    original, rate_hz = soundfile.read("talk.wav")
    back, back_hz = soundfile.read("back.wav")
    assert (back_hz, back.shape) == (rate_hz, original.shape)
    with open("talk.mlc", "rb") as file:
        reader = mlcfile.Reader(file)
        assert (reader.header.layout.rows, reader.header.layout.index_bits) == (2, 5)
        indices = np.concatenate([chunk.indices for chunk in reader], axis=1)
    assert indices.shape == (1, 300, 2)
    assert len(np.unique(indices)) > 3


def test_info_shows_it_without_knowing_it(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compress", "-q", "--profile", "toy", "talk.wav", "talk.mlc"])
    capsys.readouterr()
    assert main(["info", "--json", "talk.mlc"]) == 0
    [stream] = json.loads(capsys.readouterr().out)["streams"]
    assert stream["payload_bits_per_s"] == pytest.approx(1000)
    assert stream["bundle"] == "toy"
    assert stream["latency"] == {"compress_s": 1.0, "decompress_s": 1.0}  # it never looks ahead


def test_models_list_has_a_line_for_it(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    (toy,) = (line for line in lines if line["name"] == "toy")
    assert (toy["system"], toy["rate_hz"], toy["bits_per_s"]) == ("toy", 8000, [500, 1000])


@pytest.mark.parametrize("asked, rows", [("500", 1), ("0.5k", 1), ("1k", 2)])
def test_fewer_rows_are_sent_for_fewer_bits(asked: str, rows: int, installed: Path) -> None:
    assert main(["compress", "-q", "--profile", "toy", "--bitrate", asked, "talk.wav", "talk.mlc"]) == 0
    with open("talk.mlc", "rb") as file:
        assert mlcfile.Reader(file).header.layout.rows == rows
    assert main(["decompress", "-q", "talk.mlc", "back.wav"]) == 0


def test_an_unknown_bit_rate_is_refused_and_the_known_ones_named(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compress", "--profile", "toy", "--bitrate", "700", "talk.wav", "talk.mlc"]) == 2
    assert "--bitrate 700: toy offers 500, 1k bit/s" in capsys.readouterr().err
    assert not Path("talk.mlc").exists()


def test_its_own_limits_of_an_option_hold(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "--profile", "toy", "--effort", "3", "talk.wav", "talk.mlc"]) == 2
    assert "--effort 3: must be 1 to 2 for toy" in capsys.readouterr().err


def test_a_batch_goes_through(installed: Path) -> None:
    for name in ("a", "b", "c"):
        Path(f"{name}.wav").write_bytes(wav(noise(1)))
    assert main(["compress", "-q", "--profile", "toy", "-o", "coded/", "a.wav", "b.wav", "c.wav"]) == 0
    assert main(["decompress", "-q", "-r", "coded", "-o", "back"]) == 0
    assert sorted(path.name for path in Path("back").iterdir()) == ["a.wav", "b.wav", "c.wav"]


def test_a_pipe_goes_through(installed: Path, feed: Callable[[bytes], None]) -> None:
    script = (
        "import sys; from melcodec_cli.systems import registry; from melcodec_cli.cli import main\n"
        f"registry.SYSTEMS['toy'] = {PLACE!r}\n"
        "sys.exit(main(sys.argv[1:]))"
    )

    def run(data: bytes, *arguments: str) -> bytes:
        paths = os.pathsep.join(sys.path)
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            input=data, stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONPATH": paths},
        ).stdout  # fmt: skip

    coded = run(Path("talk.wav").read_bytes(), "compress", "-q", "--profile", "toy", "-", "-")
    assert len(coded) < 500
    feed(coded)
    assert main(["decompress", "-q", "-", "piped.wav"]) == 0
    main(["compress", "-q", "--profile", "toy", "talk.wav", "talk.mlc"])
    whole, rate_hz = melcodec_cli.decompress("talk.mlc")
    piped, piped_hz = soundfile.read("piped.wav", dtype="float32")
    assert piped_hz == rate_hz
    assert np.abs(piped - whole).max() < 1e-4


def test_streamed_frames_equal_the_whole(home: Path) -> None:
    toy: Streaming = Toy({})
    rng = np.random.default_rng(1)
    audio = rng.normal(0, 0.2, 8000).astype(np.float32)
    [whole] = toy.encode([audio], [Span(0, 100, 0)], {})
    sending, receiving = toy.open_encoder(2, {}), toy.open_decoder()
    pieces = np.array_split(audio, 37)  # of no whole number of frames
    indices = [sending.push(piece) for piece in pieces] + [sending.flush()]
    assert np.array_equal(np.concatenate(indices), whole.indices)
    heard = np.concatenate([receiving.push(each) for each in indices if len(each)] + [receiving.flush()])
    [expected] = toy.decode([whole], [Span(0, 100, 0)], {})
    assert np.allclose(heard, expected, atol=1e-6)


def test_it_goes_live(installed: Path) -> None:
    Path("slow.wav").write_bytes(wav(noise(1, 8000), 8000))
    assert main(["compress", "-q", "--live", "--profile", "toy", "slow.wav", "live.mlc"]) == 0
    assert main(["decompress", "-q", "--live", "live.mlc", "live.wav"]) == 0
    main(["compress", "-q", "--profile", "toy", "slow.wav", "slow.mlc"])
    main(["decompress", "-q", "slow.mlc", "whole.wav"])
    live, whole = (soundfile.read(f"{name}.wav", dtype="float32")[0] for name in ("live", "whole"))
    assert np.abs(live - whole).max() < 1e-4 and np.abs(whole).max() > 0.01
    assert main(["recode", "-q", "--bitrate", "500", "live.mlc", "half.mlc"]) == 0
    assert Path("half.mlc").stat().st_size < Path("live.mlc").stat().st_size


def test_an_unknown_system_is_named(tmp_path: Path) -> None:
    (tmp_path / "strange.toml").write_text(PRESET.replace('system = "toy"', 'system = "opera"'))
    with pytest.raises(UsageProblem, match="system 'opera' is unknown; known systems: fmel"):
        read_preset(str(tmp_path / "strange.toml"))
