"""A batch killed at random points and run again ends with the same files as an undisturbed one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from melcodec_cli.cli import main
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

KILLS = 4


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_runs_killed_at_random_end_with_the_files_of_an_undisturbed_one(
    folder: Path, tiny_bundle: Path, command: str
) -> None:
    for place in range(8):
        path = Path(f"in/{place % 3}/{place}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(noise(0.5 + place % 4 / 4)))
    if command == "decompress":
        assert main(["compress", "-q", "-r", "in", "-o", "coded"]) == 0
    source = "in" if command == "compress" else "coded"
    arguments = [command, "-q", "--bundle", str(tiny_bundle), "--threads", "1", "--skip-existing"]
    program = Path(__file__).parent / "killed_runs.py"
    done = subprocess.run(
        [sys.executable, str(program), str(KILLS), *arguments, "-r", source, "-o", "out"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def twice_named(folder: Path) -> bytes:
    """The content of talk.wav.mlc, which a kill in an earlier release left with a second, hidden name."""
    assert main(["compress", "-q", "talk.wav"]) == 0
    os.link("talk.wav.mlc", ".talk.wav.mlc.unfinished")
    return Path("talk.wav.mlc").read_bytes()


@pytest.mark.usefixtures("twice_named")
@pytest.mark.parametrize("more", [[], [".talk.wav.mlc.unfinished.0123456789abcdef"]], ids=["one", "two"])
def test_the_hidden_names_of_a_complete_file_are_swept_away(more: list[str]) -> None:
    for name in more:
        os.link("talk.wav.mlc", name)
    assert main(["compress", "-q", "--skip-existing", "talk.wav"]) == 0
    assert sorted(os.listdir()) == ["talk.wav", "talk.wav.mlc"]


def test_a_forced_run_that_fails_costs_no_complete_file(twice_named: bytes) -> None:
    soundfile.write("bad.flac", noise(20), 16000)
    with open("bad.flac", "r+b") as file:
        file.truncate(os.path.getsize("bad.flac") // 2)
    assert main(["compress", "-q", "--force", "bad.flac", "talk.wav.mlc"]) != 0
    assert Path("talk.wav.mlc").read_bytes() == twice_named
    assert main(["compress", "-q", "--force", "talk.wav"]) == 0
    assert sorted(os.listdir()) == ["bad.flac", "talk.wav", "talk.wav.mlc"]


def test_a_complete_file_that_was_moved_away_stays_as_it_is(twice_named: bytes) -> None:
    Path("archive").mkdir()
    os.rename("talk.wav.mlc", "archive/talk.wav.mlc")
    Path("other.wav").write_bytes(wav(noise(1)))
    assert main(["compress", "-q", "other.wav", "talk.wav.mlc"]) == 0
    assert Path("archive/talk.wav.mlc").read_bytes() == twice_named
    assert Path("talk.wav.mlc").read_bytes() != twice_named
    assert sorted(os.listdir()) == ["archive", "other.wav", "talk.wav", "talk.wav.mlc"]
