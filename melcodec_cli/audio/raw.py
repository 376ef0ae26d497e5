"""Headerless PCM: its parameters and the names of its encodings."""

import re
from dataclasses import dataclass

from melcodec_cli.audio.limits import usable_channels, usable_rate
from melcodec_cli.audio.pcm import Encoding
from melcodec_cli.errors import UsageProblem

ENCODINGS: dict[str, Encoding] = {
    "u8": Encoding("u", 8),
    "s8": Encoding("i", 8),
    "s16le": Encoding("i", 16),
    "s16be": Encoding("i", 16, ">"),
    "s24le": Encoding("i", 24),
    "s24be": Encoding("i", 24, ">"),
    "s32le": Encoding("i", 32),
    "s32be": Encoding("i", 32, ">"),
    "f32le": Encoding("f", 32),
    "f32be": Encoding("f", 32, ">"),
    "f64le": Encoding("f", 64),
    "f64be": Encoding("f", 64, ">"),
}


def encoding_named(name: str) -> Encoding:
    """The encoding with ffmpeg's name (s16le), ALSA's (S16_LE) or a short one (s16, little-endian)."""
    plain = re.sub("[_-]", "", name.lower())
    for candidate in (plain, plain + "le"):
        if candidate in ENCODINGS:
            return ENCODINGS[candidate]
    raise UsageProblem(f"unknown raw encoding {name!r}; known encodings: {', '.join(ENCODINGS)}")


@dataclass(frozen=True)
class RawFormat:
    """The facts that a header would give."""

    rate_hz: int
    channels: int = 1
    encoding: str = "s16le"

    def __post_init__(self) -> None:
        encoding_named(self.encoding)
        for problem in (usable_rate(self.rate_hz), usable_channels(self.channels)):
            if problem:
                raise UsageProblem(f"raw audio: {problem}")
