"""Live streams that break one rule each."""

from __future__ import annotations

from collections.abc import Iterator

from assembly import Broken, flip, put, seal
from good import chunks, header, packed
from mlcfile import Layout
from mlcfile.description import pack_varint
from mlcfile.header_bytes import pack_header
from mlcfile.live import CHECK_BYTES, MISMATCH, check_of, live_seed

LAYOUT = Layout(12, 1, "stages", 24_000, 288, chunk_frames=4)
OF = header(None, rate_hz=24_000, layout=LAYOUT, packet_frames=1)
HEAD = pack_header(OF)
BEGIN = len(HEAD.data)
CHUNK = OF.live_chunk_bytes + CHECK_BYTES
SOUND = packed(OF, chunks(OF, 10))  # two full chunks, and two frames


def files() -> Iterator[Broken]:
    yield from headers()
    yield from contents()
    yield from ends()


def headers() -> Iterator[Broken]:
    rule = "a live header's numbers are within limits"
    before, length = HEAD.data[: HEAD.length_offset], b"\x00"
    cases = {
        "packet-frames-0": (0, length, "packet frames 0 is outside 1..255"),
        "packet-frames-3": (3, length, "packets of 3 frames do not fill 4"),
        "length": (1, b"\x01", "a live stream has no length, no global indices and no tables"),
    }
    for name, (frames, its_length, message) in cases.items():
        head = seal(put(before, len(before) - 1, bytes([frames])), its_length)
        told = f"the header breaks a limit: {message} (byte 0)"
        yield Broken(f"live-{name}", rule, "CorruptError", told, head.data + SOUND[BEGIN:])
    long = before[: -len(pack_varint(4)) - 1] + pack_varint(513) + bytes([1])
    told = "the header breaks a limit: bytes of a live chunk 1026 is outside 1..1024 (byte 0)"
    yield Broken("live-long-chunk", rule, "CorruptError", told, seal(long, length).data)


def contents() -> Iterator[Broken]:
    rule = "a chunk's check matches"
    second = BEGIN + CHUNK
    told = f"{MISMATCH} (chunk 1, from 0.05 s, byte {second})"
    damaged = {
        "packet": flip(SOUND, second + 3),
        "check": flip(SOUND, second + CHUNK - 1),
        "packet-missing": SOUND[: second + 2] + SOUND[second + 4 :],
    }
    for name, data in damaged.items():
        yield Broken(f"live-{name}", rule, "CorruptError", told, data, 1)
    other = packed(header(None, rate_hz=48_000, layout=LAYOUT, packet_frames=1), chunks(OF, 10))
    foreign = SOUND[:BEGIN] + other[BEGIN:]
    told = f"{MISMATCH} (chunk 0, from 0.00 s, byte {BEGIN})"
    yield Broken("live-other-header", rule, "CorruptError", told, foreign)
    rule = "chunks come in the order of their numbers"
    told = f"1 live chunks are missing (chunk 0, from 0.00 s, byte {BEGIN})"
    yield Broken("live-chunk-missing", rule, "CorruptError", told, SOUND[:BEGIN] + SOUND[second:])
    filled = SOUND[BEGIN + 1] | 1
    packets = put(SOUND[BEGIN : second - CHECK_BYTES], 1, bytes([filled]))
    whole = SOUND[:BEGIN] + packets + check_of(packets, 0, live_seed(HEAD)) + SOUND[second:]
    told = f"the bits that fill a packet are not 0 (chunk 0, from 0.00 s, byte {BEGIN})"
    yield Broken("live-filled", "zeros fill a packet", "CorruptError", told, whole)


def ends() -> Iterator[Broken]:
    rule = "a live stream ends after a packet or a check"
    place = f"(chunk 2, from 0.10 s, byte {BEGIN + 2 * CHUNK})"
    told = f"the stream ends within a packet {place}"
    yield Broken("live-ends-in-packet", rule, "TruncatedError", told, SOUND + b"\x12", 2)
    cut = BEGIN + 2 * CHUNK - 1
    told = f"the stream ends within a check (chunk 1, from 0.05 s, byte {BEGIN + CHUNK})"
    yield Broken("live-ends-in-check", rule, "TruncatedError", told, SOUND[:cut], 1)
