"""Starts the program again and again without importing torch each time, and kills it: killed_runs.py KILLS ARGUMENT...

Every run is a fork of this process, which has imported everything and started no thread. A run is killed after a random
part of the time that an undisturbed one takes. When a run finishes, its folder is compared with the undisturbed run's
and emptied for the next.
"""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch  # noqa: F401 - so that the runs need not

from melcodec_cli.cli import main
from melcodec_cli.commands import compress, decompress  # noqa: F401
from melcodec_cli.convert import conversion  # noqa: F401

OUT = Path("out")


def start(arguments: list[str]) -> int:
    child = os.fork()
    if child == 0:
        os._exit(main(arguments))
    return child


def contents() -> dict[str, bytes]:
    return {str(path.relative_to(OUT)): path.read_bytes() for path in OUT.rglob("*") if path.is_file()}


def whole_ones(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in found.items() if not Path(name).name.startswith(".")}


def difference(found: dict[str, bytes], expected: dict[str, bytes]) -> str:
    """The names that are missing or left over, and where the other files begin to differ."""
    parts = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    parts += [f"{name} is left" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(found.keys() & expected.keys()):
        one, other = found[name], expected[name]
        if one != other:
            common = os.path.commonprefix([one, other])
            sizes = f"{len(one)} bytes instead of {len(other)}"
            parts.append(f"{name} ({sizes}) differs from byte {len(common)} on")
    return "; ".join(parts)


def run_to_its_end(arguments: list[str]) -> float:
    began_s = time.perf_counter()
    _, status = os.waitpid(start(arguments), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return time.perf_counter() - began_s


def kill_runs(kills: int, arguments: list[str]) -> None:
    chance = random.Random(4)
    undisturbed_s = run_to_its_end(arguments)
    expected = contents()
    assert expected and expected == whole_ones(expected)
    killed = cut_short = 0
    while killed < kills:
        shutil.rmtree(OUT)
        while True:
            child = start(arguments)
            time.sleep(chance.uniform(0.1, 1) * undisturbed_s)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert os.waitstatus_to_exitcode(status) == 0
                break
            os.kill(child, signal.SIGKILL if killed % 2 else signal.SIGTERM)
            os.waitpid(child, 0)
            killed += 1
            found = whole_ones(contents())
            assert found.items() <= expected.items(), "a file that has its name is not complete"
            cut_short += found != expected
            if killed == kills:
                run_to_its_end(arguments)
                break
        found = contents()
        assert found == expected, f"not the files of an undisturbed run: {difference(found, expected)}"
    assert cut_short > kills // 4, "hardly any kill came while there was work left"


if __name__ == "__main__":
    kill_runs(int(sys.argv[1]), sys.argv[2:])
