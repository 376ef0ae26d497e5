"""Sound files that only a later minor version would write, and that this one must read all the same."""

from __future__ import annotations

from collections.abc import Iterator

from assembly import FLAGS_BYTE, VERSION_BYTE, assemble, before_length, bodies, put, seal
from good import SMALL, Content, Stream, chunks, header
from mlcfile.blocks import CODES, pack_end
from mlcfile.description import pack_varint


def files() -> Iterator[tuple[str, str, bytes, list[Content]]]:
    """(name, what it shows, bytes, descriptions of its streams)"""
    of = header(6 * 640, layout=SMALL)
    plain = before_length(of)
    extended = put(plain, FLAGS_BYTE, b"\x90")[: FLAGS_BYTE + 1] + b"\x00\x85\x01" + plain[FLAGS_BYTE + 1 :]
    kinds = {
        "minor-version": ("a minor version this reader does not know", put(plain, VERSION_BYTE, b"\x1f")),
        "may-ignore-flags": ("flags that may be ignored", put(plain, FLAGS_BYTE, b"\x1f")),
        "extended-may-ignore-flags": ("more flags that may be ignored", extended),
    }
    for name, (about, head) in kinds.items():
        blocks = [(CODES, body) for body in bodies(of, 6)]
        data = assemble(seal(head, pack_varint(6 * 640 + 1)), blocks, pack_end(6, None))
        yield name, about, data, [Stream(of, chunks(of, 6)).description()]
