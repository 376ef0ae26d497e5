"""Entropy-coded chunks that break one rule each."""

from __future__ import annotations

from collections.abc import Iterator

from assembly import Broken, assemble, body, put
from good import GRID_LAYOUT, header, worth_coding
from mlcfile import Globals, Header
from mlcfile.blocks import CODES, pack_end
from mlcfile.header_bytes import pack_header
from tables import GRID

OF = header(105 * 512, layout=GRID_LAYOUT, tables_id=GRID.id)
FULL, _, LAST = (body(OF, block, GRID) for block in worth_coding(OF, GRID, 105))
STATES = 1  # the first state's place in a full chunk's body
WORDS = STATES + 4 * GRID_LAYOUT.rows


def files() -> Iterator[Broken]:
    yield from taken_apart()
    yield from decoded()
    of = header(105 * 512, layout=GRID_LAYOUT, tables_id=GRID.id, globals_=Globals(1, 3))
    block = worth_coding(of, GRID, 40)[0]
    data = body(of, block, GRID)
    yield case(
        "entropy-bits-after-globals",
        "what fills a byte is 0",
        "the bits after the global indices of an entropy-coded chunk are not 0",
        put(data, 1, bytes([data[1] | 1])),
        of,
    )
    plain = header(105 * 512, layout=GRID_LAYOUT)
    yield case(
        "entropy-not-announced",
        "chunks are entropy coded only where the header says so",
        "the last byte holds no stop bit",
        FULL,
        plain,
    )


def case(name: str, rule: str, message: str, data: bytes, of: Header = OF) -> Broken:
    """A stream that begins with this body."""
    head = pack_header(of)
    told = f"{message} (chunk 0, from 0.00 s, byte {len(head.data)})"
    return Broken(name, rule, "CorruptError", told, assemble(head, [(CODES, data)], pack_end(105, None)))


def taken_apart() -> Iterator[Broken]:
    """What is seen without tables."""
    rule = "a chunk that is not full says its frames"
    for frames in (40, 41):
        message = f"an entropy-coded chunk says {frames} frames, but one that is not full has less than 40"
        yield case(f"entropy-frames-{frames}", rule, message, bytes([frames]) + FULL[1:])
    message = "a chunk has 25 frames, but the header's length gives it 40"
    yield case("entropy-frames-and-length", "chunks hold as many frames as the length makes", message, LAST)
    rule = "a coded chunk has all its states and whole words"
    message = "an entropy-coded chunk is cut off"
    yield case("entropy-without-states", rule, message, FULL[: WORDS - 1] + b"\x00")
    yield case("entropy-without-frames", rule, message, b"\x00")
    message = "an entropy-coded chunk ends within a word"
    yield case("entropy-half-a-word", rule, message, FULL[:-2] + b"\x00")
    size = OF.body_bytes(40)
    message = f"an entropy-coded chunk has {size} bytes, but is no smaller than its {size} raw"
    yield case(
        "entropy-not-smaller",
        "coding makes a chunk smaller",
        message,
        FULL[:-1].ljust(size - 1, b"\x01") + b"\x00",
    )


def decoded() -> Iterator[Broken]:
    """What is seen when the indices are decoded."""
    rule = "states are at least 65536"
    message = "an entropy-coded chunk begins with an impossible state"
    yield case("entropy-state-65535", rule, message, put(FULL, STATES, b"\x00\x00\xff\xff"))
    rule = "words and states end with the last index"
    message = "an entropy-coded chunk ends before its last index"
    yield case("entropy-word-missing", rule, message, FULL[:-3] + b"\x00")
    message = "an entropy-coded chunk does not end with its last index"
    yield case("entropy-word-left-over", rule, message, FULL[:-1] + b"\x00\x00\x00")
    yield case("entropy-other-last-word", rule, message, put(FULL, len(FULL) - 2, bytes([FULL[-2] ^ 1])))
