"""Tags that nearly all formats can carry, with their names in each format."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TagName:
    key: str  # Vorbis comment
    attribute: str  # libsndfile's, as soundfile spells it
    info: bytes | None  # WAV's LIST/INFO chunk


# The encoder's own name ("software", ISFT) is left out: it says what wrote the file, not what is in it.
KNOWN = (
    TagName("TITLE", "title", b"INAM"),
    TagName("ARTIST", "artist", b"IART"),
    TagName("ALBUM", "album", b"IPRD"),
    TagName("DATE", "date", b"ICRD"),
    TagName("GENRE", "genre", b"IGNR"),
    TagName("TRACKNUMBER", "tracknumber", b"ITRK"),
    TagName("COMMENT", "comment", b"ICMT"),
    TagName("COPYRIGHT", "copyright", b"ICOP"),
    TagName("LICENSE", "license", None),
)

MAX_INFO_BYTES = 1 << 20
BEXT_DESCRIPTION_BYTES = 256  # the first of the chunk
MAX_BYTES = 40_000  # of all values together: with many more, libsndfile breaks an Opus file


def from_attributes(file: object) -> dict[str, str]:
    """The tags of an open `soundfile.SoundFile`."""
    values = {name.key: getattr(file, name.attribute) for name in KNOWN}
    return {key: value for key, value in values.items() if value}


def to_attributes(tags: Mapping[str, str], file: object) -> None:
    """Set the tags that an open `soundfile.SoundFile` can carry; leave out the rest."""
    for name, value in _fitting(tags):
        setattr(file, name.attribute, value)


def from_info(body: bytes) -> dict[str, str]:
    """The tags of a WAV file's LIST chunk; none if it lists something else."""
    tags: dict[str, str] = {}
    if body[:4] != b"INFO":
        return tags
    keys = {name.info: name.key for name in KNOWN}
    position = 4
    while position + 8 <= len(body):
        item, size = struct.unpack_from("<4sI", body, position)
        text = body[position + 8 : position + 8 + size].split(b"\0")[0]
        if item in keys and text:
            tags[keys[item]] = _text(text)
        position += 8 + size + size % 2
    return tags


def from_bext(body: bytes) -> dict[str, str]:
    """The description of a Broadcast Wave file, as a comment; a comment in INFO takes precedence."""
    text = body[:BEXT_DESCRIPTION_BYTES].split(b"\0")[0].strip()
    return {"COMMENT": _text(text)} if text else {}


def to_info(tags: Mapping[str, str]) -> bytes:
    """A whole LIST chunk, or nothing if there are no tags."""
    items = b""
    for name, value in _fitting(tags):
        if name.info:
            text = value.encode() + b"\0"
            items += struct.pack("<4sI", name.info, len(text)) + text + b"\0" * (len(text) % 2)
    return struct.pack("<4sI4s", b"LIST", 4 + len(items), b"INFO") + items if items else b""


def _fitting(tags: Mapping[str, str]) -> Iterator[tuple[TagName, str]]:
    """Yield the known tags for which there is room, in a form that every format can carry."""
    room_bytes = MAX_BYTES
    for name in KNOWN:
        # A NUL would end the text early in all these formats, and no encoding has lone surrogates.
        text = tags.get(name.key, "").replace("\0", "").encode("utf-8", "replace")
        if text and len(text) <= room_bytes:
            room_bytes -= len(text)
            yield name, text.decode()


def _text(data: bytes) -> str:
    """Decode an INFO text, which declares no encoding: as UTF-8 if that works, else as Windows-1252."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
