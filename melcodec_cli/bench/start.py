"""Compares the processor time of starting a conversion with that of importing torch, in whole processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.audio import open_sink

CLIP_S = 2
IMPORT_TORCH = ("-c", "import torch")


@dataclass(frozen=True)
class StartFigures:
    """Medians of processor time, on one thread; the field names are the keys of `--json`."""

    name: str  # compress or decompress
    cpu_s: float
    torch_cpu_s: float  # of `python -c "import torch"`
    ratio: float  # median of the ratio of the two processes of each repeat


def measure_start(
    audio: NDArray[np.float32], rate_hz: int, bundle: str | None, repeats: int
) -> list[StartFigures]:
    """Compress and decompress a clip of two seconds in separate processes, in turn with importing torch."""
    named = ("--bundle", bundle) if bundle else ()
    with TemporaryDirectory(prefix="melcodec-bench-") as folder:
        clip = Path(folder, "clip.wav")
        with open(clip, "wb") as file, open_sink(file, "wav", rate_hz, 1) as sink:
            sink.write(np.resize(audio, CLIP_S * rate_hz)[:, None])
        coded, decoded = str(clip.with_suffix(".mlc")), str(Path(folder, "decoded.wav"))
        melcodec = ("-m", "melcodec_cli")
        ways = {
            "compress": (*melcodec, "compress", "-qf", "--threads", "1", *named, str(clip), coded),
            "decompress": (*melcodec, "decompress", "-qf", "--threads", "1", *named, coded, decoded),
        }
        for arguments in (IMPORT_TORCH, *ways.values()):
            _cpu_s(arguments)  # so that all files are cached
        return [_figures(name, arguments, repeats) for name, arguments in ways.items()]


def _figures(name: str, arguments: Sequence[str], repeats: int) -> StartFigures:
    pairs = [(_cpu_s(IMPORT_TORCH), _cpu_s(arguments)) for _ in range(repeats)]
    torch_cpu_s, cpu_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    return StartFigures(name, cpu_s, torch_cpu_s, statistics.median(own / bare for bare, own in pairs))


def _cpu_s(arguments: Sequence[str]) -> float:
    """Processor time of a whole Python process."""
    before = os.times()
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *arguments], check=True, env={**os.environ, **one_thread})
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)
