"""Copies streams without decoding them, with other tags if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import BinaryIO

from .blocks import TAGS, pack_block
from .errors import UnsupportedError
from .reader import read_streams
from .sink import write_all
from .tags import pack_tags


def remux(
    source: BinaryIO, target: BinaryIO, tags: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
) -> None:
    """Copies every block unchanged, even of unknown type. `tags`, if given, replace each stream's own."""
    body = None if tags is None else pack_tags(tags)
    for reader in read_streams(source):
        if body and reader.header.packet_frames is not None:
            raise UnsupportedError("a live stream has no place for tags")
        write_all(target, reader.header_bytes.data)
        if body:
            write_all(target, pack_block(TAGS, body, 0, reader.header_bytes.seed))
        for block in reader.blocks():
            if body is None or block.type != TAGS:
                write_all(target, block.data)
