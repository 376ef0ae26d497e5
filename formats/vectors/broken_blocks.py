"""Blocks and chunks that break one rule each, or stand where they must not."""

from __future__ import annotations

from collections.abc import Iterator

from assembly import Broken, assemble, bodies, flip, pieces
from good import SMALL, header
from mlcfile import Layout
from mlcfile.blocks import CODES, END, PADDING, pack_block, pack_end
from mlcfile.description import pack_varint
from mlcfile.header_bytes import pack_header
from three_chunks import CHUNKS, END_BODY, FULL, HEAD, LAST, OF, SOUND, STARTS, place, stream


def files() -> Iterator[Broken]:
    yield from frames()
    yield from codes()
    yield from order()


def frames() -> Iterator[Broken]:
    """What holds a block together."""
    error, whole = "TruncatedError", "a stream is complete"
    message = "the stream ends before its END block"
    yield Broken("no-blocks", whole, error, f"{message} {place(0)}", HEAD.data)
    yield Broken(
        "ends-in-chunk-1", whole, error, f"{message} {place(1)}", b"".join(SOUND)[: STARTS[2] + 5], 1
    )
    yield Broken("no-end", whole, error, f"{message} (byte {STARTS[4]})", b"".join(SOUND[:4]), 3)
    yield Broken("ends-in-end", whole, error, f"{message} (byte {STARTS[4]})", b"".join(SOUND)[:-1], 3)
    message = f"another stream begins before this one's END block (byte {STARTS[4]})"
    yield Broken("next-header-before-end", whole, error, message, b"".join(SOUND[:4] + SOUND), 3)
    claimed = header(1 << 40)
    message = "the stream ends before its END block (chunk 0, from 0.00 s, byte 20)"
    yield Broken(
        "claims-2-to-the-40-samples", whole, error, message, pack_header(claimed).data + b"\x01\xf2\x04"
    )
    error = "CorruptError"
    for name, at in {"type": 0, "body": 4, "checksum": -1}.items():
        damaged = flip(SOUND[2], at % len(SOUND[2]), 0x40 if name == "body" else 0x80)
        kind = "TAGS" if name == "type" else "CODES"
        message = f"the checksum of a {kind} block does not match {place(1)}"
        data = b"".join([*SOUND[:2], damaged, *SOUND[3:]])
        yield Broken(f"block-checksum-{name}", "a block's checksum matches", error, message, data, 1)
    stretched = b"\x01\x86\x00" + SOUND[1][2:]
    message = f"a number is written in more bytes than it needs {place(0)}"
    yield Broken(
        "stretched-size",
        "only the length may be stretched",
        error,
        message,
        b"".join([SOUND[0], stretched, *SOUND[2:]]),
    )
    limits = ((CODES, "CODES", 6), (PADDING, "PADDING", 1 << 20), (END, "END", 14), (3, "0x03", 1 << 20))
    for type_, name, limit in limits:
        message = f"a {name} block of {limit + 1} bytes is over the limit of {limit} {place(0)}"
        yield Broken(
            f"{name.lower()}-block-too-large",
            "a block keeps its limit",
            error,
            message,
            SOUND[0] + bytes([type_]) + pack_varint(limit + 1) + bytes(20),
        )
    message = "the critical block type 0x03 is not known to this version"
    yield Broken(
        "critical-block-type-3",
        "only what is known is read",
        "UnsupportedError",
        message,
        stream([CHUNKS[0], (3, b"new"), *CHUNKS[1:]]),
        1,
    )


def codes() -> Iterator[Broken]:
    """The bits of a chunk, and how many frames it holds."""
    error, rule = "CorruptError", "a chunk's bits end with a stop bit in the last byte"
    no_stop = f"the last byte holds no stop bit {place(0)}"
    yield Broken("codes-without-bytes", rule, error, no_stop, stream([(CODES, b"")]))
    yield Broken(
        "codes-without-stop-bit", rule, error, no_stop, stream([(CODES, FULL[:-1] + b"\x00"), *CHUNKS[1:]])
    )
    rule = "a chunk holds 1 to chunk_frames whole frames"
    for name, bits, data in (
        ("codes-of-no-frames", 0, b"\x80"),
        ("codes-of-broken-frame", 39, bytes(4) + b"\x01"),
    ):
        message = f"{bits} bits do not make a chunk of 1 to 4 frames {place(0)}"
        yield Broken(name, rule, error, message, stream([(CODES, data), *CHUNKS[1:]]))
    narrow = header(8, rate_hz=4_000, layout=Layout(1, 1, "stages", 4_000, 1, 4))
    message = f"5 bits do not make a chunk of 1 to 4 frames {place(0, len(pack_header(narrow).data))}"
    yield Broken(
        "codes-of-too-many-frames",
        rule,
        error,
        message,
        assemble(pack_header(narrow), [(CODES, b"\x04")], None),
    )
    unknown = header(None, layout=SMALL)
    rule = "all chunks but the last are full"
    short_first = pieces(pack_header(unknown), [(CODES, LAST), (CODES, FULL)], pack_end(6, 6 * 640))
    message = f"a chunk follows one that is not full {place(1, len(short_first[0] + short_first[1]))}"
    yield Broken("chunk-after-short-chunk", rule, error, message, b"".join(short_first), 1)
    rule = "chunks hold as many frames as the length makes"
    message = "a chunk has {} frames, but the header's length gives it {} {}"
    yield Broken(
        "short-chunk-too-early",
        rule,
        error,
        message.format(2, 4, place(1)),
        stream([CHUNKS[0], CHUNKS[2]], pack_end(6, None)),
        1,
    )
    yield Broken(
        "last-chunk-too-long",
        rule,
        error,
        message.format(4, 2, place(2)),
        stream([*CHUNKS[:2], CHUNKS[0]], pack_end(12, None)),
        2,
    )
    two_chunks = pack_header(header(8 * 640, layout=SMALL))
    yield Broken(
        "chunk-beyond-length",
        rule,
        error,
        message.format(4, 0, f"(byte {STARTS[3]})"),
        assemble(two_chunks, [*CHUNKS[:2], CHUNKS[0]], pack_end(8, None)),
        2,
    )


def order() -> Iterator[Broken]:
    """Every block sound by itself, but not here."""
    error, rule = "CorruptError", "a chunk stands in its place in its own stream"
    head, first, second, third, end_ = SOUND
    other = pieces(pack_header(header(10 * 640, layout=SMALL, channels=2)), CHUNKS, END_BODY)
    twin = bodies(OF, 10)[0][:-2] + b"\xff" + bodies(OF, 10)[0][-1:]
    for name, blocks, chunk, read in (
        ("chunks-swapped", [second, first, third], 0, 0),
        ("chunk-duplicated", [first, first, second, third], 1, 1),
        ("chunk-missing", [first, third], 1, 1),
        ("chunk-of-other-stream", [first, other[2], third], 1, 1),
    ):
        message = f"the checksum of a CODES block does not match {place(chunk)}"
        yield Broken(name, rule, error, message, b"".join([head, *blocks, end_]), read)
    message = f"the digest of the END block does not match (byte {STARTS[4]})"
    foreign = pack_block(CODES, twin, 0, HEAD.seed)
    yield Broken(
        "chunk-of-twin-stream",
        "the digest matches",
        error,
        message,
        b"".join([head, foreign, second, third, end_]),
        3,
    )
