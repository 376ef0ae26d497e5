"""Two processes, started by torchrun, train one run, here on the CPU."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.train.tiny import rows, tiny_preset

pytestmark = pytest.mark.slow

pytest.importorskip("pyworld", reason="training needs the extra train")

# Neither a GPU nor a network is asked for.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo"}
MELCODEC = [sys.executable, "-m", "melcodec_cli"]
PATIENCE_S = 240


def meeting_place() -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}


def test_torchrun_trains_every_stage_once(speech: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    torchrun += ["--nproc-per-node", "2", "--no-python", "--"]
    arguments = ["train", "all", "--preset", "tiny-patch", "--data", str(speech), "--run", str(tmp_path)]
    done = subprocess.run(
        [*torchrun, *MELCODEC, *arguments, "--steps", "2"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "tiny-patch.safetensors")]
    assert done.stderr.count("left out") == 1  # of the broken clip, which one of the two has decoded
    for stage in ("tokenizer", "pitch", "vocoder"):
        assert done.stderr.count(f"training the stage {stage}") == 1
        assert [row["step"] for row in rows(tmp_path / stage / "log.csv")] == ["2"]
    assert len(list(tmp_path.rglob("stage.safetensors"))) == 3
    assert not list(tmp_path.rglob("*.part"))


def test_a_process_that_ends_leaves_nothing_of_its_group() -> None:
    """Otherwise gloo's threads would free tensors while Python exits, which sometimes aborts the process."""
    script = (
        "import atexit, weakref, torch\n"
        "from melcodec_cli.train.ranks import dist, join_ranks\n"
        "atexit.register(lambda: print(group()))\n"  # the last to be called
        "join_ranks()\n"
        "group = weakref.ref(dist.group.WORLD)\n"
    )
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", **meeting_place()}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**ENVIRONMENT, **alone}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


def test_a_signal_to_one_rank_stops_both_with_a_checkpoint(speech: Path, tmp_path: Path) -> None:
    preset = tmp_path / "talkative.toml"
    preset.write_text(tiny_preset().replace("minutes =", "log_steps = 1\nminutes ="))
    arguments = ["train", "coder", "--preset", str(preset), "--data", str(speech), "--run", str(tmp_path)]
    meeting = {**meeting_place(), "WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            [*MELCODEC, *arguments, "--steps", "1000000"],
            env={**ENVIRONMENT, **meeting, "RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE, text=True,
        )
        for rank in "01"
    ]  # fmt: skip
    try:
        assert ranks[0].stderr is not None
        assert any(line.startswith("step 1 ") for line in ranks[0].stderr)
        ranks[1].terminate()
        said = [process.communicate(timeout=PATIENCE_S)[1] for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    assert [process.returncode for process in ranks] == [143, 143], said
    with safe_open(tmp_path / "coder" / "checkpoint.safetensors", "pt") as file:
        assert json.loads(file.metadata()["progress"])["step"] >= 1
