"""The speech to be coded: files of the user, or the built-in set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from melcodec_cli.audio import AudioSource, Resampler, mix_down, open_source
from melcodec_cli.audio.suffixes import AUDIO_SUFFIXES
from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.speech import FULL_RATE_HZ, RATE_HZ, Audio, Speech

FULL_BAND_FROM_HZ = 32_000  # files of a lower rate are measured at 16 kHz alone
BUILT_IN = Path(__file__).parent / "builtin"


@dataclass(frozen=True)
class Clip:
    name: str  # by which two evaluations are paired
    path: Path


def clips_of(places: Sequence[Path]) -> list[Clip]:
    """Every file given and every audio file in the folders given, in order; none given: the built-in set."""
    found: dict[Path, str] = {}
    for place in places or [BUILT_IN]:
        if place.is_dir():
            inside = sorted(path for path in place.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
            found.update((path, str(path.relative_to(place))) for path in inside)
        elif place.is_file():
            found[place] = f"{place.parent.name}/{place.name}"
        else:
            raise UsageProblem("no such file or folder", place)
    if not found:
        raise UsageProblem("no audio files there", ", ".join(map(str, places)))
    names = list(found.values())
    return [Clip(name if names.count(name) == 1 else str(path), path) for path, name in found.items()]


def clips_listed(list_file: Path) -> list[Path]:
    """The files named in a text file, one a line, relative to where it lies."""
    lines = list_file.read_text().splitlines()
    return [list_file.parent / line.strip() for line in lines if line.strip()]


Item = TypeVar("Item")


def spread(clips: Sequence[Item], limit: int | None) -> list[Item]:
    """At most `limit` of them, evenly spread, so that neighbours of one speaker do not fill it."""
    if limit is None or limit >= len(clips):
        return list(clips)
    return [clips[place * len(clips) // limit] for place in range(limit)]


def read_speech(file: Path | BinaryIO, rate_hz: int = RATE_HZ) -> Audio:
    """A path or binary file as mono float32 at `rate_hz`."""
    with open_source(file) as source:
        return _mono(source, rate_hz)


def read_original(path: Path) -> Speech:
    """With the full band, where the file's rate has more of it than 16 kHz could hold."""
    with open_source(path) as source:
        rate_hz = FULL_RATE_HZ if source.rate_hz >= FULL_BAND_FROM_HZ else RATE_HZ
        return Speech(_mono(source, rate_hz), rate_hz)


def _mono(source: AudioSource, rate_hz: int) -> Audio:
    resampler = Resampler(source.rate_hz, rate_hz, 1)
    pieces = [resampler.process(mix_down(block, source.speakers)) for block in source.blocks(source.rate_hz)]
    pieces.append(resampler.flush())
    audio: Audio = np.concatenate(pieces)[:, 0]
    return audio
