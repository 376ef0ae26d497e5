"""Converts linear PCM between bytes and float32, for every uncompressed format.

Full scale is [-1, 1): an integer of b bits is divided by 2^(b-1). Reading 8, 16 or 24 bits and writing them again gives
the same bytes. Writing rounds to nearest and clips. There is no dither, so that equal input gives equal output.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

# A sample beyond this (60 dB over full scale) is not sound: the byte order is wrong, the writer was broken, or integers
# were stored as floats without scaling.
LOUDEST = 1e3
ABSURD = 1e6  # a decoder's output may reach this and is then clipped


@dataclass(frozen=True)
class Encoding:
    """One way to store a sample."""

    kind: Literal["u", "i", "f"]  # unsigned with an offset of half the range, two's complement, IEEE float
    bits: int
    order: Literal["<", ">"] = "<"

    @property
    def width_bytes(self) -> int:
        return self.bits // 8

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of a stored sample; 24 bits have none and use the upper bytes of 32."""
        return np.dtype(f"{self.order}{self.kind}{4 if self.bits == 24 else self.width_bytes}")


def decode(data: bytes, encoding: Encoding) -> Samples:
    """Convert bytes of whole samples to float32 (n,)."""
    if encoding.bits == 24:
        data = _widen_24(data, encoding.order)
    stored = np.frombuffer(data, encoding.dtype)
    if encoding.kind == "f":
        with np.errstate(over="ignore"):  # a double too large becomes infinite, and is refused later
            return stored.astype(np.float32)
    full_scale = 2.0 ** (8 * encoding.dtype.itemsize - 1)
    samples = stored.astype(np.float32)
    if encoding.kind == "u":
        samples -= np.float32(full_scale)
    samples *= np.float32(1 / full_scale)
    return samples


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """Convert float32 of any shape to bytes, in C order."""
    if encoding.kind == "f":
        return samples.astype(encoding.dtype).tobytes()
    values = quantise(samples, encoding.bits)
    if encoding.kind == "u":
        values += 1 << (encoding.bits - 1)
    if encoding.bits == 24:
        stored = values.astype(f"{encoding.order}i4").reshape(-1).view(np.uint8).reshape(-1, 4)
        return stored[:, :3].tobytes() if encoding.order == "<" else stored[:, 1:].tobytes()
    return values.astype(encoding.dtype).tobytes()


def quantise(samples: Samples, bits: int) -> NDArray[np.int32]:
    """Integers of `bits` bits, rounded to nearest and clipped: full scale never wraps around."""
    full_scale = 2.0 ** (bits - 1)
    exact = np.float32 if bits <= 24 else np.float64  # a float32 holds 2^23 - 1 but not 2^31 - 1
    values = np.rint(np.multiply(samples, full_scale, dtype=exact))
    return np.clip(values, -full_scale, full_scale - 1, out=values).astype(np.int32)


def first_unsound(block: Samples) -> tuple[int, float] | None:
    """The first (frame, value) in a block (frame, channel) that is not sound: NaN, infinite or absurdly large."""
    with np.errstate(invalid="ignore"):
        sound = np.abs(block) <= LOUDEST  # false for NaN
    if sound.all():
        return None
    frame, channel = np.argwhere(~sound)[0]
    return int(frame), float(block[frame, channel])


def scrub(samples: Samples) -> Samples:
    """The same with silence in place of NaN, the infinities and anything absurdly large."""
    with np.errstate(invalid="ignore"):
        broken = ~(np.abs(samples) <= ABSURD)  # true for NaN
    return np.where(broken, np.float32(0), samples) if broken.any() else samples


def _widen_24(data: bytes, order: str) -> bytes:
    """Turn 24-bit samples into 32-bit ones of 256 times the value."""
    packed = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(packed), 4), np.uint8)
    wide[:, slice(1, 4) if order == "<" else slice(0, 3)] = packed
    return wide.tobytes()
