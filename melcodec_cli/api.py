"""compress and decompress for Python programs: paths, file objects and arrays."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, SupportsIndex, TypedDict, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melcodec_cli.audio import RawFormat
from melcodec_cli.audio.arrays import from_array, is_array
from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.codec.decompression import DecompressSettings
from melcodec_cli.convert.engine import LocalEngine
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, File, Request
from melcodec_cli.errors import MelcodecError
from melcodec_cli.models.choose import ModelChoice, Models
from melcodec_cli.report.record import Record

if TYPE_CHECKING:
    from typing_extensions import Unpack  # of typing from Python 3.11 on

Bytes = bytes | bytearray | memoryview


class SharedArguments(TypedDict, total=False):
    """Keyword arguments that compress and decompress share."""

    bundle: str | None
    device: str
    threads: int | None
    copy_tags: bool
    force: bool
    rate_hz: float | SupportsIndex | None


class CompressArguments(SharedArguments, total=False):
    keep_channels: bool
    chunk_s: float | None
    effort: int | None
    bits_per_s: float | None
    entropy: bool | None
    profile: str | None


class DecompressArguments(SharedArguments, total=False):
    form: str | None
    subtype: str | None
    start_s: float
    end_s: float | None
    conceal: bool
    steps: int | None


# Command-line options in messages, and their names here if different.
TERMS = {
    "describe bare samples with --raw": "give bare samples as an array",
    "--channels keep": "keep_channels=True",
    "--force": "force=True",
    "--conceal": "conceal=True",
    "--rate": "rate_hz",
    "decompress it with --live": "decode it with open_decoder",
    "decompress it without --live": "use decompress",
    "--live": "a live stream",
}


@overload
def compress(
    source: File | Bytes | ArrayLike, target: None = None, **more: Unpack[CompressArguments]
) -> bytes: ...
@overload
def compress(source: File | Bytes | ArrayLike, target: File, **more: Unpack[CompressArguments]) -> Record: ...
def compress(
    source: File | Bytes | ArrayLike,
    target: File | None = None,
    *,
    rate_hz: float | SupportsIndex | None = None,
    keep_channels: bool = False,
    chunk_s: float | None = None,
    copy_tags: bool = True,
    effort: int | None = None,
    bits_per_s: float | None = None,
    entropy: bool | None = None,
    force: bool = False,
    profile: str | None = None,
    bundle: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Record | bytes:
    """Compress a recording to an .mlc file; without a target, return its bytes.

    `source` is a path, a binary file object, the bytes of an audio file, or an array with its `rate_hz`: (sample,) or
    (sample, channel), of floats within +-1 or of integers that use their whole range. `effort`, 1 to 8, says how hard
    to search for the indices that sound best; `bits_per_s` chooses among the bit rates that a model has; `entropy` says
    whether the model's tables code the indices, None: if it has any. `profile` names an installed bundle, or "auto" to
    choose one by the recording's rate; `bundle` names a bundle file instead. Raises the errors of
    `melcodec_cli.errors`; what the command would note on stderr becomes a warning.
    """
    memory = io.BytesIO()
    with _in_python_terms():
        file, raw = _opened(source, rate_hz)
        models = models_for(bundle, device, threads, profile)
        settings = CompressSettings(keep_channels, chunk_s, copy_tags, entropy=entropy)
        options = _options(effort=effort)
        sink = memory if target is None else target
        record = _run(CompressRequest(file, sink, settings, raw, bits_per_s, options, force), models)
    return memory.getvalue() if target is None else record


@overload
def decompress(
    source: File | Bytes, target: None = None, **more: Unpack[DecompressArguments]
) -> tuple[NDArray[np.float32], int]: ...
@overload
def decompress(source: File | Bytes, target: File, **more: Unpack[DecompressArguments]) -> Record: ...
def decompress(
    source: File | Bytes,
    target: File | None = None,
    *,
    form: str | None = None,
    subtype: str | None = None,
    rate_hz: float | SupportsIndex | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    conceal: bool = False,
    steps: int | None = None,
    copy_tags: bool = True,
    force: bool = False,
    bundle: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Record | tuple[NDArray[np.float32], int]:
    """Decompress an .mlc file, or the bytes of one, to a recording; without a target, return (array, rate in Hz).

    The array is (sample,) for one channel, else (sample, channel). `form` is wav, flac, ogg, opus, mp3 or raw; a path's
    suffix chooses it too.
    """
    memory = io.BytesIO()
    if target is None:
        form, subtype = "raw", "f32le"
    with _in_python_terms():
        file = io.BytesIO(source) if isinstance(source, Bytes) else _checked(source)
        models = models_for(bundle, device, threads)
        settings = DecompressSettings(whole(rate_hz, "rate_hz"), False, start_s, end_s, conceal)
        sink = memory if target is None else target
        options = _options(steps=steps)
        record = _run(
            DecompressRequest(file, sink, settings, form, subtype, copy_tags, options, force), models
        )
    if target is not None:
        return record
    samples = np.frombuffer(memory.getvalue(), "<f4").astype(np.float32).reshape(-1, record.channels)
    return (samples[:, 0] if record.channels == 1 else samples), record.rate_hz


def in_python_terms(message: str) -> str:
    """The message with Python's arguments instead of command-line options."""
    for option, argument in TERMS.items():
        message = message.replace(option, argument)
    return re.sub(r"(?<!\w)--([a-z]+(?:-[a-z]+)*)", lambda found: found[1].replace("-", "_"), message)


@contextmanager
def _in_python_terms() -> Iterator[None]:
    try:
        yield
    except MelcodecError as error:
        error.message = in_python_terms(error.message)
        error.args = (in_python_terms(str(error)),)
        raise


def _opened(
    source: File | Bytes | ArrayLike, rate_hz: float | SupportsIndex | None
) -> tuple[File, RawFormat | None]:
    """The source as a path or file, and the format of an array."""
    if isinstance(source, Bytes):
        source = io.BytesIO(source)
    if is_array(source):
        whole_hz = whole(rate_hz, "rate_hz")
        if whole_hz is None:
            raise TypeError("an array needs its rate_hz")
        return from_array(source, whole_hz)
    file = _checked(source)
    if rate_hz is not None:
        raise TypeError("rate_hz is for arrays only; a file has its own")
    return file, None


def _checked(source: object) -> File:
    if isinstance(source, str | os.PathLike) or hasattr(source, "read"):
        return source  # type: ignore[return-value]
    raise TypeError(f"source is a {type(source).__name__}; it must be a path, a binary file or an array")


def _options(**values: object) -> dict[str, int]:
    """The model's options, as far as they were given."""
    given = {name: whole(value, name) for name, value in values.items()}
    return {name: value for name, value in given.items() if value is not None}


def whole(value: object, name: str) -> int | None:
    """Check that a number is whole; it may be a float or come from an array."""
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.number)
        or not float(value).is_integer()
    ):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    return int(value)


def _run(request: Request, models: Models) -> Record:
    (outcome,) = LocalEngine(models, warn).convert([request])
    if outcome.error is not None:
        raise outcome.error
    return outcome.record


@lru_cache(maxsize=4)
def models_for(bundle: str | None, device: str, threads: int | None, profile: str | None = None) -> Models:
    return Models(warn, lambda line: None, ModelChoice(device, threads, bundle, profile))


def warn(topic: str, line: str) -> None:
    warnings.warn(in_python_terms(line), stacklevel=2)
