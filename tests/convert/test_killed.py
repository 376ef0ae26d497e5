"""Killed at random points and run again, a batch ends with the files of one that nobody disturbed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from melcodec_cli.cli import main
from tests.sounds import noise, wav

KILLS = 10


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_runs_killed_at_random_end_with_the_files_of_an_undisturbed_one(
    folder: Path, tiny_bundle: Path, command: str
) -> None:
    for place in range(12):
        path = Path(f"in/{place % 3}/{place}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(noise(2 + place % 4)))
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


def test_the_hidden_name_of_a_complete_file_is_swept_away(folder: Path) -> None:
    """Left by a kill between the two steps of giving a file its name."""
    assert main(["compress", "-q", "talk.wav"]) == 0
    os.link("talk.wav.mlc", ".talk.wav.mlc.unfinished")
    assert main(["compress", "-q", "--skip-existing", "talk.wav"]) == 0
    assert sorted(os.listdir()) == ["talk.wav", "talk.wav.mlc"]
