"""A reader fed random bytes raises only the format's own errors, and always finishes.

MLC_FUZZ_S sets for how many seconds it is fed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from time import monotonic
from zlib import crc32

import numpy as np
from mlcfile import MlcError, Reader, read_streams
from mlcfile.blocks import pack_block
from mlcfile.header_bytes import MAGIC

from .streams import BROKEN, GOOD, with_tables

SECONDS = float(os.environ.get("MLC_FUZZ_S", "2"))
FILES = [path.read_bytes() for path in GOOD + BROKEN if path.stat().st_size < 500]
HEADERS = [Reader(BytesIO(path.read_bytes())).header_bytes for path in GOOD]
Random = np.random.Generator


def below(random: Random, bound: int) -> int:
    return int(random.integers(bound))


def noise(random: Random) -> bytes:
    return random.bytes(below(random, 200))


def noise_after_magic(random: Random) -> bytes:
    return MAGIC + b"\x10" + noise(random)


def noise_in_header(random: Random) -> bytes:
    """A random header with the right checksum, so that its numbers are believed."""
    flags = bytes([below(random, 8) << 4])
    head = MAGIC + b"\x10" + flags + random.bytes(8 + below(random, 16))
    return head + (crc32(head) & 0xFFFF).to_bytes(2, "big") + noise(random)


def noise_in_blocks(random: Random) -> bytes:
    """Random blocks with the right checksums, so that their bodies are believed."""
    head = HEADERS[below(random, len(HEADERS))]
    data = head.data
    for number in range(random.integers(1, 4)):
        type_ = (0, 1, 1, 2, 3, 0x81, 0x82, 0xFF)[below(random, 8)]
        data += pack_block(type_, random.bytes(below(random, 12)), number, head.seed)
    return data


def mutation(random: Random) -> bytes:
    """A golden file with pieces overwritten, left out, repeated or inserted."""
    data = FILES[below(random, len(FILES))]
    for _ in range(random.integers(1, 4)):
        start, stop = sorted(random.integers(len(data) + 1, size=2).tolist())
        middle = (random.bytes(stop - start), b"", data[start:stop] * 2, data[start:stop] + noise(random))
        data = data[:start] + middle[below(random, 4)] + data[stop:]
    return data


KINDS: list[Callable[[Random], bytes]] = [
    noise,
    noise_after_magic,
    noise_in_header,
    noise_in_blocks,
    mutation,
]


def test_random_bytes_raise_nothing_but_the_formats_own_errors() -> None:
    random = np.random.default_rng()
    until = monotonic() + SECONDS
    while monotonic() < until:
        data = KINDS[below(random, len(KINDS))](random)
        for conceal in (False, True):
            try:
                for reader in read_streams(BytesIO(data), conceal):
                    for _ in with_tables(reader):
                        pass
            except MlcError:
                pass
            except Exception as error:
                raise AssertionError(f"{error!r} from {data.hex()}") from error
