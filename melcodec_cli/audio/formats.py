"""The formats that can be written, and what each of them can hold."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from melcodec_cli.audio.limits import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from melcodec_cli.audio.pcm import Encoding
from melcodec_cli.audio.raw import ENCODINGS, encoding_named
from melcodec_cli.errors import UsageProblem


@dataclass(frozen=True)
class OutputFormat:
    """One format; the first of its subtypes is the default."""

    name: str
    suffixes: tuple[str, ...]
    subtypes: Mapping[str, Encoding | None]  # None: only libsndfile knows it
    rates_hz: tuple[int, ...] = ()  # empty: all from MIN_RATE_HZ to max_rate_hz
    max_rate_hz: int = MAX_RATE_HZ
    max_channels: int = MAX_CHANNELS
    container: str = field(default="")  # libsndfile's name for it
    holds_nothing: bool = True  # whether it can hold a recording of no samples

    def subtype_named(self, name: str | None) -> str:
        """The subtype as this table spells it: PCM_16 for pcm16, pcm-16 or PCM_16."""
        if name is None:
            return next(iter(self.subtypes))
        if self.name == "raw":
            wanted = encoding_named(name)
            return next(known for known, encoding in ENCODINGS.items() if encoding == wanted)
        for known in self.subtypes:
            if known.replace("_", "") == name.upper().replace("_", "").replace("-", ""):
                return known
        raise UsageProblem(f"{self.name} has no subtype {name!r}; it has {', '.join(self.subtypes)}")

    def check(self, rate_hz: int, channels: int, subtype: str | None = None) -> None:
        """Refuse what the format cannot hold, and say what it can."""
        self.subtype_named(subtype)
        if self.rates_hz and rate_hz not in self.rates_hz:
            possible = ", ".join(map(str, self.rates_hz[:-1])) + f" or {self.rates_hz[-1]}"
            raise UsageProblem(
                f"{self.name} holds {possible} Hz, not {rate_hz}; choose one with --rate or another format"
            )
        if not MIN_RATE_HZ <= rate_hz <= self.max_rate_hz:
            raise UsageProblem(
                f"{self.name} holds {MIN_RATE_HZ} to {self.max_rate_hz} Hz, not {rate_hz}; "
                "choose one with --rate or another format"
            )
        if not 1 <= channels <= self.max_channels:
            raise UsageProblem(
                f"{self.name} holds 1 to {self.max_channels} channels, not {channels}; choose another format"
            )


FORMATS = {
    known.name: known
    for known in (
        OutputFormat(
            "wav",
            (".wav", ".wave"),
            {
                "PCM_16": Encoding("i", 16),
                "PCM_U8": Encoding("u", 8),
                "PCM_24": Encoding("i", 24),
                "PCM_32": Encoding("i", 32),
                "FLOAT": Encoding("f", 32),
                "DOUBLE": Encoding("f", 64),
            },
        ),
        OutputFormat(
            "flac",
            (".flac",),
            {"PCM_16": None, "PCM_S8": None, "PCM_24": None},
            container="FLAC",
            holds_nothing=False,
        ),
        # libvorbis has no settings above 200 kHz, and libsndfile crashes there.
        OutputFormat("ogg", (".ogg", ".oga"), {"VORBIS": None}, max_rate_hz=200_000, container="OGG"),
        # With more than five channels, Opus uses one for low-frequency effects and removes the speech from it.
        OutputFormat(
            "opus",
            (".opus",),
            {"OPUS": None},
            rates_hz=(8000, 12000, 16000, 24000, 48000),
            max_channels=5,
            container="OGG",
            holds_nothing=False,
        ),
        OutputFormat(
            "mp3",
            (".mp3",),
            {"MPEG_LAYER_III": None},
            rates_hz=(8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
            max_channels=2,
            container="MP3",
            holds_nothing=False,
        ),
        OutputFormat("raw", (".raw", ".pcm"), {"s16le": ENCODINGS["s16le"]} | ENCODINGS),
    )
}


def format_for(path: str | os.PathLike[str]) -> str:
    """The name of the format that a path's suffix asks for."""
    suffix = Path(path).suffix.lower()
    for known in FORMATS.values():
        if suffix in known.suffixes:
            return known.name
    suffixes = ", ".join(suffix for known in FORMATS.values() for suffix in known.suffixes)
    raise UsageProblem(f"unknown audio format; the suffix must be one of {suffixes}", path)
