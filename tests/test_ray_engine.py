"""The same files and the same report as of the local engine, from a cluster of two nodes, one of which is killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode

from .codec.sounds import noise, wav

PROGRAM = [sys.executable, "-m", "melcodec_cli"]
FILES = 24


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A cluster on this machine, of a worker each, and the node that can be spared."""
    pytest.importorskip("ray", reason="needs the extra ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        yield cluster, cluster.add_node(**node)
    finally:
        cluster.shutdown()


def contents(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*")}


def told(report: str) -> dict[str, list[Any]]:
    """What a report says of each input, but for where its output is and how long it took; and no input twice."""
    records = [json.loads(line) for line in Path(report).read_text().splitlines()]
    kept = {"status", "duration_s", "mlc_bytes", "payload_bits", "exit_code", "error"}
    found = {record["source"]: [record[name] for name in sorted(kept)] for record in records}
    assert len(found) == len(records)
    return found


def test_a_killed_node_costs_no_file_and_changes_none(
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
    deadline = time.monotonic() + 120
    while Path("said").read_text().count("on cpu, 1 threads") < 2:  # once each worker has done something
        assert run.poll() is None and time.monotonic() < deadline, Path("said").read_text()
        time.sleep(0.02)
    done_before = len(Path("away.jsonl").read_text().splitlines())
    cluster.remove_node(spare, allow_graceful=False)
    assert done_before < FILES, "it was killed when there was nothing left to do"
    output, _ = run.communicate(timeout=120)
    lines = Path("said").read_text().splitlines()
    assert (run.returncode, output) == (ExitCode.BATCH, b""), lines
    assert lines[-1] == f"melcodec: {FILES} done, 0 skipped, 1 failed"
    assert contents("away") == contents("local")
    assert told("away.jsonl") == told("local.jsonl")
    assert len(told("away.jsonl")) == FILES + 1

    # And back, on the node that is left.
    command = ["decompress", "-r", "local", "--bundle", str(tiny_bundle), "--end", "3", "--threads", "1"]
    assert main([*command, "-q", "-o", "decoded"]) == 0
    again = subprocess.run(
        [*PROGRAM, *command, *remote, "-q", "-o", "back"], capture_output=True, check=False
    )
    assert (again.returncode, again.stdout, again.stderr) == (0, b"", b"")
    assert contents("back") == contents("decoded")


def test_what_needs_no_worker_starts_no_ray(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "-q", "talk.wav"]) == 0
    remote = ["--engine", "ray", "--ray-address", "absent.invalid:1", "talk.wav"]
    assert main(["compress", "--skip-existing", *remote]) == 0
    assert main(["compress", "--force", "--dry-run", *remote]) == 0
    assert main(["compress", *remote]) == ExitCode.OUTPUT
    assert capsys.readouterr().err.count("melcodec: ") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--engine", "ray"], "--engine ray needs the extra: pip install 'melcodec[ray]'"),
        (["--ray-address", "head:6379"], "--ray-address needs --engine ray"),
    ],
)
def test_what_is_missing_is_said_in_a_line(
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
