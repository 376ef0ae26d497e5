"""Recognises formats that cannot be read by their first bytes, so that a message can name them."""

from __future__ import annotations

import os
from shlex import quote

# (offset, bytes at that offset, name of the format). In Ogg, 28 bytes of page header precede the first packet, which
# names the codec.
SIGNS: tuple[tuple[int, bytes, str], ...] = (
    (28, b"\x7fFLAC", "FLAC in Ogg"),
    (28, b"Speex   ", "Speex"),
    (28, b"\x80theora", "a video"),
    (28, b"\x01video", "a video"),
    (4, b"ftyp", "an MP4 file (m4a, mp4, mov or 3gp)"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA1", "True Audio"),
    (0, b"ajkg", "Shorten"),
)
LONGEST = max(place + len(sign) for place, sign, _ in SIGNS)


def foreign_format(start: bytes) -> str | None:
    """The name of the format that begins like this, if it is in SIGNS."""
    return next((what for place, sign, what in SIGNS if start[place:].startswith(sign)), None)


def how_to_convert(what: str, name: str) -> str:
    """The message for such a file; `name` is its path or a pipe's name."""
    advice = "convert it first, with ffmpeg"
    if os.path.isfile(name):
        wav = os.path.splitext(name)[0] + ".wav"
        advice = f"convert it first: ffmpeg -i {quote(name)} {quote(wav)}"
    return f"is {what}, which melcodec cannot read; {advice}"
