"""What the fuzzer calls: whatever the bytes, nothing but the errors of the family may come out."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from mlcfile import MlcError, read_streams, remux

from melcodec_cli.errors import MelcodecError
from melcodec_cli.inspection import damage_json, inspect, stream_json
from melcodec_cli.installed import read_bundle_info

MAGIC = b"\x8dML\x10"


def read_any(data: bytes) -> None:
    """The first byte chooses: 0 file as it is, 1 with mended header, 2 a bundle's head."""
    kind, rest = data[:1], data[1:]
    if kind == b"\x02":
        read_bundle(rest)
    else:
        read_mlc(mended(rest) if kind == b"\x01" else rest)


def read_mlc(data: bytes) -> None:
    inspection = inspect(io.BytesIO(data))
    failure = inspection.failure("file")
    assert (failure is None) == (not inspection.damage)
    for stream in inspection.streams:
        json.dumps([stream_json(stream), damage_json(stream)])
    sound = True
    try:
        for reader in read_streams(io.BytesIO(data)):
            for block in reader.blocks():
                assert len(block.data) <= len(data)
        copy = io.BytesIO()
        remux(io.BytesIO(data), copy)
        assert copy.getvalue() == data
    except MlcError:
        sound = False
    assert sound == (failure is None)


def read_bundle(data: bytes) -> None:
    from melcodec_cli.chain.profile import Profile, ProfileError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        path.write_bytes(len(data).to_bytes(8, "little") + data)
        with suppress(MelcodecError, ProfileError):
            Profile.from_dict(read_bundle_info(path).profile)


def mended(data: bytes) -> bytes:
    """With a magic before it and the checksum of its first 13 bytes put in, so that its numbers are believed."""
    head = MAGIC + data[:13]
    return head + (crc32(head) & 0xFFFF).to_bytes(2, "big") + data[13:]
