"""The sound stream that broken ones are made from: chunks of 4, 4 and 2 frames."""

from __future__ import annotations

from assembly import assemble, bodies, pieces
from good import SMALL, header
from mlcfile.blocks import CODES, pack_end
from mlcfile.header_bytes import pack_header

OF = header(10 * 640, layout=SMALL)
HEAD = pack_header(OF)
FULL, ALSO_FULL, LAST = bodies(OF, 10)
CHUNKS = [(CODES, FULL), (CODES, ALSO_FULL), (CODES, LAST)]
END_BODY = pack_end(10, None)
SOUND = pieces(HEAD, CHUNKS, END_BODY)  # header, three chunks, END
STARTS = [sum(len(piece) for piece in SOUND[:i]) for i in range(len(SOUND) + 1)]  # offset of each


def place(chunk: int, offset: int | None = None) -> str:
    """How a message says where."""
    return (
        f"(chunk {chunk}, from {chunk * 0.16:.2f} s, byte {STARTS[chunk + 1] if offset is None else offset})"
    )


def stream(blocks: list[tuple[int, bytes]], end: bytes | None = END_BODY) -> bytes:
    return assemble(HEAD, blocks, end)
