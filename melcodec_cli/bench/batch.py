"""What many short files cost beside one long file of the same audio: from disk to disk, without loading the model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.audio import open_sink
from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.codec.decompression import DecompressSettings
from melcodec_cli.codec.pipeline import convert
from melcodec_cli.convert.conversion import CompressConversion, Conversion, DecompressConversion
from melcodec_cli.models.choose import Models

CLIP_S = 3
WARMING_CLIPS = 20


@dataclass(frozen=True)
class BatchFigures:
    """Medians; the field names are the keys of `--json`."""

    name: str  # compress or decompress
    one_file_s: float
    clips_s: float
    ratio: float  # median of the ratios of each repeat's two runs


class BatchBenchmark:
    def __init__(self, models: Models, audio: NDArray[np.float32], rate_hz: int, steps: int | None):
        """audio (sample,), of which what makes no whole clip is left out."""
        clip_samples = CLIP_S * rate_hz
        self.clips = max(1, audio.size // clip_samples)
        self.duration_s = float(self.clips * CLIP_S)
        self._models = models
        self._rate_hz = rate_hz
        self._steps = steps
        self._audio = np.resize(audio, (self.clips, clip_samples))

    def run(self, repeats: int) -> list[BatchFigures]:
        with TemporaryDirectory(prefix="melcodec-bench-") as folder:
            one, clips = Path(folder, "one"), [Path(folder, str(place)) for place in range(self.clips)]
            self._write(one, self._audio.ravel())
            for path, audio in zip(clips, self._audio, strict=True):
                self._write(path, audio)
            return [
                _figures("compress", self._compress, [one], clips, repeats),
                _figures("decompress", self._decompress, [one], clips, repeats),
            ]

    def _write(self, path: Path, audio: NDArray[np.float32]) -> None:
        with (
            open(path.with_suffix(".wav"), "wb") as file,
            open_sink(file, "wav", self._rate_hz, 1) as sink,
        ):
            sink.write(audio[:, None])

    def _compress(self, path: Path) -> Conversion[Any]:
        files = path.with_suffix(".wav"), path.with_suffix(".mlc")
        return CompressConversion(*files, self._models, _ignore, True, CompressSettings())

    def _decompress(self, path: Path) -> Conversion[Any]:
        files, settings = (path.with_suffix(".mlc"), path.with_suffix(".decoded.wav")), DecompressSettings()
        return DecompressConversion(*files, self._models, _ignore, True, settings, steps=self._steps)


def _figures(
    name: str,
    conversion_of: Callable[[Path], Conversion[Any]],
    one: Sequence[Path],
    clips: Sequence[Path],
    repeats: int,
) -> BatchFigures:
    def seconds(paths: Sequence[Path]) -> float:
        began_s = time.perf_counter()
        for ended in convert(map(conversion_of, paths)):
            if ended.error is not None:
                raise ended.error
        return time.perf_counter() - began_s

    seconds(clips[:WARMING_CLIPS])
    # One after the other, so that what slows the machine for a while slows both; and each as often first.
    pairs = []
    for repeat in range(repeats):
        if repeat % 2 == 0:
            pairs.append((seconds(one), seconds(clips)))
        else:
            clips_s = seconds(clips)
            pairs.append((seconds(one), clips_s))
    one_file_s, clips_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    return BatchFigures(name, one_file_s, clips_s, statistics.median(many / once for once, many in pairs))


def _ignore(topic: str, line: str) -> None:
    """Nobody is told about a benchmark's own files."""
