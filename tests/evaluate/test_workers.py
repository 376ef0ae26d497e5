"""Measuring in other processes: the same figures in the same order, and no process left behind."""

import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch

from melcodec_cli.evaluate.clips import read_original
from melcodec_cli.evaluate.metrics import METRICS, measure
from melcodec_cli.evaluate.speech import Audio, Speech
from melcodec_cli.evaluate.workers import JUDGED, MOST, WORTH_S, worker_count, workers

pytestmark = pytest.mark.slow

UNNEEDING = [metric for metric in METRICS if metric.needs is None and not metric.full_band]


def test_two_processes_find_what_one_does(two_clips: list[str]) -> None:
    before = [read_original(Path(path)) for path in two_clips]
    after = [Speech(each.sound * each.sound.dtype.type(0.7)) for each in before]
    work = (measure, before, after, [UNNEEDING] * 2)
    with workers(1) as one, workers(2) as two:
        found = list(two(*work))
        assert found == list(one(*work))
    assert found[0] != found[1]


def test_what_was_learnt_of_an_original_is_not_looked_for_again() -> None:
    looked: list[int] = []

    def length(audio: Audio) -> int:
        looked.append(len(audio))
        return len(audio)

    original, other = (Speech(np.zeros(1600, np.float32)) for _ in range(2))
    assert original.learn(length) == original.learn(length) == 1600
    other.remember(original.learnt)
    assert other.learn(length) == 1600
    assert looked == [1600]


def test_alone_it_measures_on_one_thread_and_leaves_the_others_to_the_codec() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with workers(1) as spread:
            assert list(spread(_threads_of, [0, 1])) == [1, 1]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def _threads_of(_: int) -> int:
    return torch.get_num_threads()


@pytest.mark.parametrize(
    ("seconds", "threads", "expected"),
    [(WORTH_S - 1, 8, 1), (2 * WORTH_S, 8, 2), (100 * WORTH_S, 2, 2), (100 * WORTH_S, 64, MOST)],
    ids=["little", "some", "few threads", "much"],
)
def test_there_are_as_many_as_the_work_is_worth_and_the_machine_has(
    seconds: float, threads: int, expected: int
) -> None:
    assert worker_count(seconds, threads) == expected
    assert worker_count(seconds / JUDGED, threads, judged=True) == expected  # it takes as long


def test_an_error_ends_the_others_at_what_they_are_doing() -> None:
    with pytest.raises(ZeroDivisionError), workers(2) as spread:
        spread(time.sleep, [600, 600])
        raise ZeroDivisionError
    assert active_children() == []


KILLED = """
import os, signal, sys
from melcodec_cli.evaluate.workers import workers

def pid(_):
    return os.getpid()

if __name__ == "__main__":
    with workers(2) as spread:
        print(*set(spread(pid, range(8))), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(KILLED)
    done = subprocess.run([sys.executable, tmp_path / "run.py"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    pids = [int(word) for word in done.stdout.split()]
    assert pids
    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_copy_learnt_is_remembered() -> None:
    first, copy = (Speech(torch.rand(4800).numpy(), 48000) for _ in range(2))
    assert len(copy.audio) == 1600
    first.remember(copy.learnt)
    assert first.audio is copy.audio
