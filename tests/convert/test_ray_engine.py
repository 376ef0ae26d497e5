"""A cluster whose nodes and workers are killed gives the same files and report as the local engine."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from melcodec_cli.cli import main
from melcodec_cli.convert.ray_engine import TRIES
from melcodec_cli.errors import ExitCode
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "melcodec_cli"]
FILES = 24
PATIENCE_S = 300  # for a busy machine


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A cluster on this machine, with one worker per node, and the node that can be killed."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # The loopback network suffices. The import of ray reads this, and so does the driver's.
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # no lower than that of the tests beside it
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": 80 << 20,
        "node_ip_address": "127.0.0.1",
    }
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        yield cluster, cluster.add_node(**node)
    finally:
        cluster.shutdown()


def contents(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*")}


def told(report: str) -> dict[str, list[Any]]:
    """A report's records by input, without output paths and times; no input may occur twice."""
    records = [json.loads(line) for line in Path(report).read_text().splitlines()]
    kept = {"status", "duration_s", "mlc_bytes", "payload_bits", "exit_code", "error"}
    found = {record["source"]: [record[name] for name in sorted(kept)] for record in records}
    assert len(found) == len(records)
    return found


def kill_the_reader(pipe: Path, run: subprocess.Popen[bytes]) -> None:
    """Kill the next process that opens the pipe, which acts as a file that kills its worker."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert run.poll() is None and time.monotonic() < deadline
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:  # nobody reads it yet
            assert error.errno == errno.ENXIO
            time.sleep(0.02)
    while not (pids := readers(pipe)):  # it is about to leave open()
        time.sleep(0.02)
    (pid,) = pids
    os.kill(pid, signal.SIGKILL)
    while readers(pipe):
        time.sleep(0.02)
    os.close(writer)


def readers(pipe: Path) -> set[int]:
    """The other processes that have the pipe open."""
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.path.samefile(descriptor, pipe):
                found.add(int(descriptor.parts[2]))
    return found - {os.getpid()}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks /proc who reads a pipe")
def test_a_killed_node_or_worker_costs_no_file_and_changes_none(
    folder: Path, tiny_bundle: Path, two_nodes: tuple[Any, Any]
) -> None:
    cluster, spare = two_nodes
    Path("in").mkdir()
    for place in range(FILES):
        path = Path(f"in/{place:02}.wav")
        os.link(f"in/{place - 4:02}.wav", path) if place >= 4 else path.write_bytes(wav(noise(17 + place)))
    Path("in/broken.wav").write_bytes(b"no audio")
    command = ["compress", "-r", "in", "--bundle", str(tiny_bundle), "--threads", "1"]
    remote = ["--engine", "ray", "--ray-address", cluster.address]
    assert main([*command, "-o", "local", "--report", "local.jsonl"]) == ExitCode.BATCH

    away = [*PROGRAM, *command, "-v", "-o", "away", "--report", "away.jsonl", *remote]
    with open("said", "w") as said:
        run = subprocess.Popen(away, stdout=subprocess.PIPE, stderr=said)
    deadline = time.monotonic() + PATIENCE_S
    while Path("said").read_text().count("on cpu, 1 threads") < 2:  # once each worker has done something
        assert run.poll() is None and time.monotonic() < deadline, Path("said").read_text()
        time.sleep(0.02)
    done_before = len(Path("away.jsonl").read_text().splitlines())
    cluster.remove_node(spare, allow_graceful=False)
    assert done_before < FILES, "it was killed when there was nothing left to do"
    output, _ = run.communicate(timeout=PATIENCE_S)
    lines = Path("said").read_text().splitlines()
    assert (run.returncode, output) == (ExitCode.BATCH, b""), lines
    assert lines[-1] == f"melcodec: {FILES} done, 0 skipped, 1 failed"
    assert contents("away") == contents("local")
    assert told("away.jsonl") == told("local.jsonl")
    assert len(told("away.jsonl")) == FILES + 1

    # And back, on the remaining node, over existing outputs, beside a file that no worker survives.
    coded = sorted(f"local/{name}" for name in contents("local"))
    command = ["decompress", *coded, "--bundle", str(tiny_bundle), "--end", "3", "--threads", "1", "--force"]
    assert main([*command, "-q", "-o", "decoded", "--report", "decoded.jsonl"]) == 0
    shutil.copytree("decoded", "back")
    Path("back/00.wav").write_bytes(b"to be replaced")
    os.mkfifo("local/deadly.mlc")
    again = [*PROGRAM, *command, "local/deadly.mlc", "-q", "-o", "back", "--report", "back.jsonl", *remote]
    with open("said", "w") as said:
        run = subprocess.Popen(again, stdout=subprocess.PIPE, stderr=said)
    for _ in range(TRIES):
        kill_the_reader(Path("local/deadly.mlc"), run)
    output, _ = run.communicate(timeout=PATIENCE_S)
    lines = Path("said").read_text().splitlines()
    assert (run.returncode, output) == (ExitCode.BATCH, b""), lines
    assert lines == [
        "melcodec: local/deadly.mlc: its worker died each time",
        f"melcodec: {FILES} done, 0 skipped, 1 failed",
    ]
    assert contents("back") == contents("decoded")
    records = told("back.jsonl")
    assert records.pop("local/deadly.mlc")[-1] == "failed"
    assert records == told("decoded.jsonl")


def test_what_needs_no_worker_starts_no_ray(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "-q", "talk.wav"]) == 0
    remote = ["--engine", "ray", "--ray-address", "absent.invalid:1", "talk.wav"]
    assert main(["compress", "--skip-existing", *remote]) == 0
    assert main(["compress", "--force", "--dry-run", *remote]) == 0
    assert main(["compress", *remote]) == ExitCode.OUTPUT
    assert capsys.readouterr().err.count("melcodec: ") == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "Connection refused"),
        ("ray://127.0.0.1:1", "Connection refused"),
        ("nowhere", "Invalid address format: nowhere"),
    ],
)
def test_a_missing_cluster_is_reported_in_one_line(folder: Path, address: str, reason: str) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    command = [*PROGRAM, "compress", "talk.wav", "--engine", "ray", "--ray-address", address]
    environment = os.environ | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    run = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False
    )
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (ExitCode.USAGE, "", 1), run.stderr
    assert run.stderr.startswith(f"melcodec: no Ray cluster at {address}: ") and reason in run.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--engine", "ray"], "--engine ray needs Ray: pip install 'melcodec[ray]'"),
        (["--ray-address", "head:6379"], "--ray-address needs --engine ray"),
    ],
)
def test_missing_requirements_are_reported_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["compress", "talk.wav", *arguments]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert error.startswith(f"melcodec: {reason}") and error.count("\n") == 1
