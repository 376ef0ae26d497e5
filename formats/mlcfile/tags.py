"""Tags: KEY=value pairs by the rules of Vorbis comments, each preceded by its length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO

from .description import pack_varint, read_varint
from .errors import CorruptError

Tags = list[tuple[str, str]]  # a key may occur more than once


def pack_tags(tags: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    data = b""
    for key, value in tags.items() if isinstance(tags, Mapping) else tags:
        if not _is_key(key):
            raise ValueError(f"tag name {key!r} must be printable ASCII without '='")
        entry = f"{key}={value}".encode()
        data += pack_varint(len(entry)) + entry
    return data


def unpack_tags(body: bytes) -> Tags:
    tags: Tags = []
    stream = BytesIO(body)

    def take(size: int) -> bytes:
        if not (piece := stream.read(size)):
            raise CorruptError("a tag's length is cut off")
        return piece

    while stream.tell() < len(body):
        size = read_varint(take)
        entry = stream.read(size)
        if len(entry) < size:
            raise CorruptError("a tag reaches past its block")
        tags.append(_split(entry))
    return tags


def _split(entry: bytes) -> tuple[str, str]:
    try:
        key, equals, value = entry.decode().partition("=")
    except UnicodeDecodeError:
        raise CorruptError("a tag is not UTF-8") from None
    if not equals or not _is_key(key):
        raise CorruptError("a tag is not of the form KEY=value")
    return key, value


def _is_key(key: str) -> bool:
    return bool(key) and all(" " <= c <= "}" and c != "=" for c in key)
