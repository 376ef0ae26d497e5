"""compress and decompress for Python programs: on paths, on file objects and on arrays."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.audio import RawFormat
from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.codec.decompression import DecompressSettings
from melcodec_cli.convert.engine import LocalEngine
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, File, Request
from melcodec_cli.models.choose import ModelChoice, Models
from melcodec_cli.report.record import Record

Audio = NDArray[np.floating[Any]]


def compress(
    source: File | Audio,
    target: File | None = None,
    *,
    rate_hz: int | None = None,
    keep_channels: bool = False,
    chunk_s: float | None = None,
    copy_tags: bool = True,
    effort: int | None = None,
    bits_per_s: float | None = None,
    force: bool = False,
    profile: str | None = None,
    bundle: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Any:  # Record | bytes
    """A recording to an .mlc file; without a target, to its bytes.

    `source` is a path, a binary file object, or an array of floats within +-1, (sample,) or (sample, channel), with
    its `rate_hz`. `effort`, 1 to 8, is the number of codewords tried for each index; `bits_per_s` chooses among the bit
    rates that a model has. `profile` is the name of an
    installed bundle, or "auto" for one by the recording's rate; `bundle` names the file of one instead. Raises the
    errors of `melcodec_cli.errors`; what the command would note on stderr is a warning.
    """
    raw = None
    if isinstance(source, np.ndarray):
        if rate_hz is None:
            raise TypeError("an array needs its rate_hz")
        source, raw = _as_raw(source, rate_hz)
    elif rate_hz is not None:
        raise TypeError("rate_hz is for arrays; a file says its own")
    memory = io.BytesIO()
    models = _models(bundle, device, threads, profile)
    settings = CompressSettings(keep_channels, chunk_s, copy_tags)
    options = {} if effort is None else {"effort": effort}
    record = _run(
        CompressRequest(source, target or memory, settings, raw, bits_per_s, options, force), models
    )
    return memory.getvalue() if target is None else record


def decompress(
    source: File | bytes,
    target: File | None = None,
    *,
    form: str | None = None,
    subtype: str | None = None,
    rate_hz: int | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    conceal: bool = False,
    steps: int | None = None,
    copy_tags: bool = True,
    force: bool = False,
    bundle: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Any:  # Record | tuple[NDArray[np.float32], int]
    """An .mlc file, or the bytes of one, to a recording; without a target, to (array, rate in Hz).

    The array is (sample,) for one channel, else (sample, channel). `form` is wav, flac, ogg, opus, mp3 or raw; a path's
    suffix says it as well.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    memory = io.BytesIO()
    if target is None:
        form, subtype = "raw", "f32le"
    models = _models(bundle, device, threads)
    settings = DecompressSettings(rate_hz, False, start_s, end_s, conceal)
    options = {} if steps is None else {"steps": steps}
    request = DecompressRequest(file, target or memory, settings, form, subtype, copy_tags, options, force)
    record = _run(request, models)
    if target is not None:
        return record
    samples = np.frombuffer(memory.getvalue(), "<f4").astype(np.float32).reshape(-1, record.channels)
    return (samples[:, 0] if record.channels == 1 else samples), record.rate_hz


def _as_raw(audio: Audio, rate_hz: int) -> tuple[BinaryIO, RawFormat]:
    if not np.issubdtype(audio.dtype, np.floating) or audio.ndim not in (1, 2):
        raise TypeError(f"an array of {audio.dtype} and {audio.ndim} dimensions is not floats of 1 or 2")
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    return io.BytesIO(audio.astype("<f4").tobytes()), RawFormat(rate_hz, channels, "f32le")


def _run(request: Request, models: Models) -> Record:
    (outcome,) = LocalEngine(models, _warn).convert([request])
    if outcome.error is not None:
        raise outcome.error
    return outcome.record


@lru_cache(maxsize=4)
def _models(bundle: str | None, device: str, threads: int | None, profile: str | None = None) -> Models:
    return Models(_warn, lambda line: None, ModelChoice(device, threads, bundle, profile))


def _warn(topic: str, line: str) -> None:
    warnings.warn(line, stacklevel=2)
