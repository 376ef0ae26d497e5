"""What the fuzzer calls: whatever the bytes, nothing but the errors of the family may come out."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast
from zlib import crc32

from mlcfile import MlcError, read_streams, remux
from mlcfile.blocks import CODES, END, GLOBAL, pack_block
from mlcfile.header_bytes import read_header
from mlcfile.source import Source

import melcodec_cli
from melcodec_cli.cli import main
from melcodec_cli.codec.inspection import damage_json, inspect, stream_json
from melcodec_cli.errors import ExitCode, MelcodecError
from melcodec_cli.models.installed import read_bundle_info
from tests.conftest import write_tiny_bundle
from tests.sounds import Pipe

MAGIC = b"\x8dML\x10"
NEXT_STREAM, AS_IT_IS = 0xFE, 0xFF  # in the place of a block's type, see `assembled`
REFUSALS = {ExitCode.MLC_CORRUPT, ExitCode.MODEL, ExitCode.UNSUPPORTED}


def read_any(data: bytes) -> None:
    """The first byte chooses the target."""
    target = data[0] if data else 0
    TARGETS[target if target < len(TARGETS) else 0](data[1:])


def read_as_it_is(data: bytes) -> None:
    """mlcfile, `info` and `verify`."""
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "\x1b[2J\n.mlc")
        path.write_bytes(data)
        for command in ("info", "verify"):
            assert told([command, str(path)]) == (failure.exit_code if failure else ExitCode.OK)


def read_mended(data: bytes) -> None:
    """With a magic before it and the checksum of its first 13 bytes put in, so that its numbers are believed."""
    head = MAGIC + data[:13]
    read_as_it_is(head + (crc32(head) & 0xFFFF).to_bytes(2, "big") + data[13:])


def read_bundle_head(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        path.write_bytes(len(data).to_bytes(8, "little") + data)
        with suppress(MelcodecError):
            info = read_bundle_info(path)
            if info.shape:
                json.dumps([info.shape.to_dict(), info.shape.bits_per_s, vars(info.shape.latency(1))])
            assert all(info.option(option.name) for option in info.facts.options)


def decompress(data: bytes) -> None:
    """A file for the tiny bundle, with all its checksums right; the first byte has options in its bits."""
    options, file = data[0] if data else 0, assembled(data[1:])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = Path(folder, "out.wav")
        source = Pipe(file, (1 << 16,)) if options & 8 else io.BytesIO(file)
        try:
            melcodec_cli.decompress(
                cast(BinaryIO, source),
                target,
                conceal=bool(options & 1),
                start_s=1.0 if options & 2 else 0.0,
                end_s=2.0 if options & 4 else None,
                bundle=str(tiny_bundle()),
            )
        except MelcodecError as error:
            assert str(error)
        assert {path.name for path in Path(folder).iterdir()} <= {"out.wav"}


def load_bundle(data: bytes) -> None:
    """The tiny bundle with another profile, up to a NUL; bytes of its head and weights changed; right ids."""
    text, _, changes = data.partition(b"\0")
    rest = bytearray(tiny_bundle().read_bytes())
    for place, value in struct.iter_unpack("<HB", changes[: len(changes) // 3 * 3]):
        rest[8 + place % (len(rest) - 8)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.safetensors")
        path.write_bytes(with_profile(bytes(rest), text))
        assert told(["bundle", "check", str(path)]) in (ExitCode.OK, ExitCode.MODEL)
        assert {path.name for path in Path(folder).iterdir()} == {path.name}


TARGETS: tuple[Callable[[bytes], None], ...] = (
    read_as_it_is,
    read_mended,
    read_bundle_head,
    decompress,
    load_bundle,
)


def told(arguments: list[str]) -> int:
    """The exit code of the program, which must print nothing that moves a cursor, and no traceback."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    text = out.getvalue() + err.getvalue()
    assert all(line.isprintable() for line in text.split("\n")), text
    assert code == ExitCode.OK or err.getvalue().startswith("melcodec: "), text
    return code


# Made once for all inputs; the folder goes when the process does.
_folder = tempfile.TemporaryDirectory(prefix="melcodec-fuzz-")


@lru_cache
def tiny_bundle() -> Path:
    path = Path(_folder.name, "tiny.safetensors")
    write_tiny_bundle(path)
    return path


def with_profile(bundle: bytes, profile: bytes) -> bytes:
    """The bundle with that text as its profile and, if it is one, the ids and the shape that go with it."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from melcodec_cli.models.bundle import facts_of, ids
    from melcodec_cli.systems.registry import build_system

    head_bytes = int.from_bytes(bundle[:8], "little")
    try:
        head = json.loads(bundle[8 : 8 + head_bytes])
        metadata = head["__metadata__"]
        metadata["profile"] = profile.decode("utf-8", "replace")
        with suppress(SafetensorError, ValueError, RecursionError):
            if not isinstance(values := json.loads(profile), dict):
                raise ValueError("no table of settings")
            with torch.device("meta"):
                system = build_system(values)
            found = ids(load(bundle), system.profile_values, system.identity)
            metadata["bitstream_id"], metadata["renderer_id"] = (part.hex() for part in found)
            metadata.update(facts_of(system))
        text = json.dumps(head).encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        return bundle
    return len(text).to_bytes(8, "little") + text + bundle[8 + head_bytes :]


def assembled(data: bytes) -> bytes:
    """Streams for the tiny bundle, from headers without ids and checksum and blocks without checksums."""
    info = read_bundle_info(tiny_bundle())
    ids = bytes.fromhex(info.bitstream_id + info.renderer_id)
    file, whole = io.BytesIO(data), b""
    while head := _sized(file):
        whole += _assembled_stream(MAGIC + head[:1] + ids + head[1:], file)
    return whole


def _assembled_stream(head: bytes, file: BinaryIO) -> bytes:
    """With the blocks up to NEXT_STREAM."""
    head += (crc32(head) & 0xFFFF).to_bytes(2, "big")
    try:
        seed = read_header(Source(io.BytesIO(head)))[1].seed
    except MlcError:
        return head + file.read()
    whole, digest, chunk = head, seed, 0
    while (byte := file.read(1)) and (type_ := byte[0]) != NEXT_STREAM:
        body = _sized(file)
        if type_ == AS_IT_IS:
            whole += body
            continue
        if type_ in (CODES, GLOBAL):
            digest = crc32(body, digest)
        whole += pack_block(type_, body, chunk, digest if type_ == END else seed)
        chunk += type_ == CODES
    return whole


def _sized(file: BinaryIO) -> bytes:
    """As many bytes as the first one says, or the first two if it is 0x80 or more."""
    size = int.from_bytes(file.read(1), "big")
    if size >= 0x80:
        size = (size & 0x7F) << 8 | int.from_bytes(file.read(1), "big")
    return file.read(size)
