"""Compares many short files with one long file of the same audio, from disk to disk, without loading the model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.audio import open_sink
from melcodec_cli.convert.engine import LocalEngine
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, Request
from melcodec_cli.models.choose import Models

CLIP_S = 3
WARMING_CLIPS = 20


@dataclass(frozen=True)
class BatchFigures:
    """Medians; the field names are the keys of `--json`."""

    name: str  # compress or decompress
    one_file_s: float
    clips_s: float
    ratio: float  # median of the ratio of the two runs of each repeat


class BatchBenchmark:
    def __init__(
        self, models: Models, audio: NDArray[np.float32], rate_hz: int, decode_options: Mapping[str, int]
    ):
        """audio (sample,); an incomplete clip at its end is left out."""
        clip_samples = CLIP_S * rate_hz
        self.clips = max(1, audio.size // clip_samples)
        self.duration_s = float(self.clips * CLIP_S)
        self._engine = LocalEngine(models, _ignore)
        self._rate_hz = rate_hz
        self._decode_options = decode_options
        self._audio = np.resize(audio, (self.clips, clip_samples))

    def run(self, repeats: int) -> list[BatchFigures]:
        with TemporaryDirectory(prefix="melcodec-bench-") as folder:
            one, clips = Path(folder, "one"), [Path(folder, str(place)) for place in range(self.clips)]
            self._write(one, self._audio.ravel())
            for path, audio in zip(clips, self._audio, strict=True):
                self._write(path, audio)
            return [
                self._figures("compress", self._compress, [one], clips, repeats),
                self._figures("decompress", self._decompress, [one], clips, repeats),
            ]

    def _write(self, path: Path, audio: NDArray[np.float32]) -> None:
        with (
            open(path.with_suffix(".wav"), "wb") as file,
            open_sink(file, "wav", self._rate_hz, 1) as sink,
        ):
            sink.write(audio[:, None])

    def _compress(self, path: Path) -> Request:
        return CompressRequest(path.with_suffix(".wav"), path.with_suffix(".mlc"), force=True)

    def _decompress(self, path: Path) -> Request:
        files = path.with_suffix(".mlc"), path.with_suffix(".decoded.wav")
        return DecompressRequest(*files, options=self._decode_options, force=True)

    def _seconds(self, requests: Sequence[Request]) -> float:
        began_s = time.perf_counter()
        for outcome in self._engine.convert(requests):
            if outcome.error is not None:
                raise outcome.error
        return time.perf_counter() - began_s

    def _figures(
        self,
        name: str,
        request_of: Callable[[Path], Request],
        one: Sequence[Path],
        clips: Sequence[Path],
        repeats: int,
    ) -> BatchFigures:
        whole, many = list(map(request_of, one)), list(map(request_of, clips))
        self._seconds(many[:WARMING_CLIPS])
        # Both in turn, so that anything that slows the machine for a while affects both; each is first equally often.
        pairs = []
        for repeat in range(repeats):
            if repeat % 2 == 0:
                pairs.append((self._seconds(whole), self._seconds(many)))
            else:
                clips_s = self._seconds(many)
                pairs.append((self._seconds(whole), clips_s))
        one_file_s, clips_s = (statistics.median(times) for times in zip(*pairs, strict=True))
        return BatchFigures(name, one_file_s, clips_s, statistics.median(b / a for a, b in pairs))


def _ignore(topic: str, line: str) -> None:
    """Discard notices about the benchmark's own files."""
