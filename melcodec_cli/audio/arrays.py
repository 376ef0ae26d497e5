"""Reads audio from arrays of samples in a Python program's memory."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

from melcodec_cli.audio.limits import MAX_CHANNELS
from melcodec_cli.audio.raw import RawFormat

# Integers of these types are samples that use their full range, as in sound cards and WAV files.
INTEGERS = {"i1": "s8", "u1": "u8", "i2": "s16le", "i4": "s32le"}


class Samples(io.BytesIO):
    """The samples as bytes, with a name for messages."""

    name = "the array"


def is_array(source: object) -> bool:
    """True if numpy can make an array of it: an array of any library on the CPU, or a list."""
    return isinstance(source, list | tuple) or hasattr(source, "__array__")


def from_array(source: object, rate_hz: int) -> tuple[BinaryIO, RawFormat]:
    """Raw audio from an array, (sample,) or (sample, channel), of floats within +-1 or of integers."""
    try:
        audio = np.asarray(source)
    except ValueError as error:
        raise TypeError(f"the list is not an array of samples: {error}") from None
    _check_shape(audio)
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    if np.issubdtype(audio.dtype, np.floating) or not audio.size:
        with np.errstate(
            over="ignore"
        ):  # a double too large for float32 becomes infinite, and is refused later
            return Samples(audio.astype("<f4").tobytes()), RawFormat(rate_hz, channels, "f32le")
    encoding = INTEGERS.get(audio.dtype.str[1:])
    if encoding is None:
        kinds = "floats within +-1, or integers of 8, 16 or 32 bits that use their whole range"
        raise TypeError(f"an array of {audio.dtype} is not audio; samples are {kinds}")
    return Samples(audio.astype(audio.dtype.newbyteorder("<")).tobytes()), RawFormat(
        rate_hz, channels, encoding
    )


def _check_shape(audio: np.ndarray[Any, Any]) -> None:
    if audio.ndim not in (1, 2):
        raise TypeError(
            f"an array of shape {audio.shape} is not audio; the shape must be (sample,) or (sample, channel)"
        )
    if audio.ndim == 2 and audio.shape[0] <= MAX_CHANNELS < audio.shape[1]:
        advice = "arrays are (sample, channel): transpose it, as in audio.T"
        raise TypeError(f"an array of shape {audio.shape} has {audio.shape[1]} channels; {advice}")
