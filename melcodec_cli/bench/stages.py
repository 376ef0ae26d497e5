"""Measures speed and memory of each part of a system, without files and without loading a model."""

from __future__ import annotations

import io
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from melcodec_cli.audio import AudioSink, RawFormat, Resampler, mix_down, open_sink, open_source
from melcodec_cli.bench.hooks import hooked
from melcodec_cli.bench.operations import REST, mflops
from melcodec_cli.bench.peak_memory import PeakMemory
from melcodec_cli.codec.compression import Compression, CompressSettings
from melcodec_cli.codec.decompression import Decompression, DecompressSettings
from melcodec_cli.codec.pipeline import Stream, convert
from melcodec_cli.codec.rows import Decoder, Encoder
from melcodec_cli.systems.system import Model

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Figures:
    """Figures of a stage on one thread or of a whole conversion on all; the field names are the keys of `--json`."""

    name: str
    parameters: int | None
    seconds: float
    times_real_time: float
    mflops: float | None  # of a stage, for a second of audio
    peak_bytes: int | None  # stage: above the memory used before; conversion: of the process


class Benchmark:
    def __init__(self, model: Model, audio: Audio, decode_options: Mapping[str, int], threads: int | None):
        """audio (sample,) at the model's rate."""
        self.model, self.system = model, model.system
        self.encoder = Encoder(lambda: model, threads=threads)
        self.decoder = Decoder(lambda: model, decode_options, threads)
        self._rate_hz = self.system.shape.rate_hz
        self.duration_s = audio.size / self._rate_hz
        self._raw = audio.astype("<f4").tobytes()
        self._mlc = self._compress(self.encoder)  # also warms up
        self._decompress(self.decoder)

    @property
    def latency_samples(self) -> int | None:
        """The delay of a live stream, if the system can be run frame by frame."""
        return getattr(self.system, "latency_samples", None)

    @property
    def mlc_bytes(self) -> int:
        return len(self._mlc)

    def stages(self, repeats: int) -> list[Figures]:
        """Medians for each stage, in the order in which they run."""
        encoder = Encoder(lambda: self.model, threads=1)
        decoder = Decoder(lambda: self.model, self.decoder.options, 1)
        modules = self.system.parts(self.decoder.options)
        peaks: dict[str, int | None] = {}
        memory = PeakMemory(self.system.device)

        def keep_peak(name: str) -> None:
            found = memory.end()
            peaks[name] = None if found is None else max(found[1], peaks.get(name) or 0)

        # In a separate run, as measuring memory takes time.
        with hooked(modules, lambda name: memory.begin(), keep_peak):
            self._compress(encoder)
            self._decompress(decoder)
        names = [*(name for name in modules if name in peaks), REST]  # some run as part of others
        operations = mflops(self.system, self.decoder.options)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(repeats):
            with _clock(modules) as spent_s:
                total_s = _timed(lambda: self._compress(encoder)) + _timed(lambda: self._decompress(decoder))
            spent_s[REST] = total_s - sum(spent_s.values())
            for name in names:
                seconds[name].append(spent_s[name])
        return [
            self._figures(
                name,
                _parameter_count(modules.get(name)),
                seconds[name],
                operations.get(name, 0.0),
                peaks.get(name),
            )
            for name in names
        ]

    def ways(self, repeats: int) -> list[Figures]:
        """Medians for compress and decompress as a whole."""
        found = []
        for name, run in (
            ("compress", lambda: self._compress(self.encoder)),
            ("decompress", lambda: self._decompress(self.decoder)),
        ):
            memory = PeakMemory(self.system.device)
            memory.begin()
            run()
            peak = memory.end()
            seconds = [_timed(run) for _ in range(repeats)]
            found.append(self._figures(name, None, seconds, None, peak and peak[0]))
        return found

    def _figures(
        self,
        name: str,
        parameters: int | None,
        seconds: Sequence[float],
        mflops: float | None,
        peak_bytes: int | None,
    ) -> Figures:
        median_s = statistics.median(seconds)
        return Figures(name, parameters, median_s, self.duration_s / median_s, mflops, peak_bytes)

    def _compress(self, encoder: Encoder) -> bytes:
        file = io.BytesIO()
        raw = RawFormat(self._rate_hz, 1, "f32le")
        with open_source(io.BytesIO(self._raw), raw) as source:
            _run(Compression(source, file, encoder, CompressSettings()))
        return file.getvalue()

    def _decompress(self, decoder: Decoder) -> None:
        def sink(rate_hz: int, channels: int, tags: Mapping[str, str]) -> AudioSink:
            return open_sink(io.BytesIO(), "wav", rate_hz, channels)

        _run(Decompression(io.BytesIO(self._mlc), sink, lambda header: decoder, DecompressSettings()))


def read_audio(paths: Sequence[str], rate_hz: int, seconds: float) -> Audio:
    """The recordings joined, mixed down and repeated to fill this many seconds: (sample,)."""
    wanted = round(seconds * rate_hz)
    parts: list[Audio] = []
    for path in paths:
        with open_source(path) as source:
            resampler = Resampler(source.rate_hz, rate_hz, 1)
            parts += [
                resampler.process(mix_down(block, source.speakers)) for block in source.blocks(source.rate_hz)
            ]
            parts.append(resampler.flush())
        if sum(map(len, parts)) >= wanted:
            break
    audio = np.concatenate(parts)[:, 0] if parts else np.zeros(0, np.float32)
    return np.resize(audio, wanted) if audio.size else np.zeros(wanted, np.float32)


@contextmanager
def _clock(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, float]]:
    """Measure the seconds spent in each module, on a single thread."""
    import torch

    began_s: dict[str, float] = {}
    spent_s: dict[str, float] = defaultdict(float)

    def now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def stop(name: str) -> None:
        spent_s[name] += now() - began_s[name]

    with hooked(modules, lambda name: began_s.__setitem__(name, now()), stop):
        yield spent_s


def _parameter_count(part: nn.Module | None) -> int | None:
    """The number of parameters, or None if there are none."""
    return (sum(parameter.numel() for parameter in part.parameters()) or None) if part is not None else None


def _timed(run: Callable[[], Any]) -> float:
    began_s = time.perf_counter()
    run()
    return time.perf_counter() - began_s


def _run(stream: Stream[Any, Any]) -> None:
    for ended in convert([stream]):
        if ended.error is not None:
            raise ended.error
