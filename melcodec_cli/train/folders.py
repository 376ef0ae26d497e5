"""The clips of a corpus: what lies in its folders, by whom it is spoken, and what its manifests say of it."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from melcodec_cli.audio.suffixes import AUDIO_SUFFIXES
from melcodec_cli.errors import UsageProblem
from melcodec_cli.report.console import say

DEV_SHARE = 1 / 20  # share of speakers, if no manifest assigns splits
UNKNOWN_LICENCE = "LicenseRef-unknown"  # if no manifest names one
# Folders with these names hold speakers, and are not speakers: dev-clean, train-clean-100, wav48, audio.
PART = re.compile(
    r"(train|dev|test|eval|valid|validation|wavs?|flac|audio|clips|data)(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True)
class Clip:
    path: str
    inside: str  # its path inside the corpus folder, which identifies it in a cache
    source: str
    speaker: str
    split: str
    licence: str
    speed: float = 1.0
    text: str = ""  # transcript, if a manifest has one ...
    language: str = ""  # ... and its language


def index_folders(folders: list[Path]) -> list[Clip]:
    """Clips of all folders, each speaker in one split.

    They are taken from a folder's manifest.csv, or from those directly below it, otherwise from the folders in it.

    Names of speakers start with the folder's own name, so that splits do not depend on how its path was typed or where
    it lies.
    """
    return _with_splits([clip for folder in folders for clip in _clips_of(folder)])


def _clips_of(folder: Path) -> list[Clip]:
    if (folder / "manifest.csv").is_file():
        return _listed(folder)
    listed = [inner for inner in sorted(folder.iterdir()) if (inner / "manifest.csv").is_file()]
    return [clip for inner in listed for clip in _listed(inner)] + _found(folder, listed)


def _listed(folder: Path) -> list[Clip]:
    """Clips listed in the manifest; the split is empty if none is given."""
    manifest = folder / "manifest.csv"
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if "path" not in (table.fieldnames or ()):
                raise UsageProblem("has no column named path", manifest)
            rows = [row for row in table if row["path"]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageProblem(f"is not a CSV file in UTF-8: {error}", manifest) from None
    clips = []
    for row in rows:
        source = row.get("source") or folder.resolve().name
        speaker = f"{source}/{row.get('speaker') or ''}"
        inside = Path(row["path"])
        licence = row.get("licence") or UNKNOWN_LICENCE
        split, text = (row.get("split") or "").strip().lower(), row.get("text") or ""
        language = (row.get("language") or "").strip()
        clips.append(
            Clip(
                str(folder / inside),
                str(inside),
                source,
                speaker,
                split,
                licence,
                text=text,
                language=language,
            )
        )
    splits = Counter(clip.split for clip in clips)
    for split in splits.keys() - {"", "train", "dev"}:
        what = f"{splits[split]} clips are left out: their split is {split!r}, not train or dev"
        say(f"{manifest}: {what}")
    return clips


def _found(folder: Path, listed: list[Path]) -> list[Clip]:
    """Clips found without a manifest.  Each folder directly in this one is a speaker, or, if there are only parts, each
    folder in these; files next to them are all of one speaker.  Folders that a manifest lists are left out."""
    name = folder.resolve().name
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES and not any(each in path.parents for each in listed)
    ]
    insides = [path.relative_to(folder) for path in paths if path.is_file()]
    level = _level_of_speakers(insides)
    clips = []
    for inside in insides:
        *folders, _ = inside.parts
        # By its own name only: a speaker may be in several parts.
        speaker = "/".join([name, *(folders[level : level + 1] or folders)])
        clips.append(Clip(str(folder / inside), str(inside), name, speaker, "", UNKNOWN_LICENCE))
    return clips


def _level_of_speakers(insides: list[Path]) -> int:
    """The first level with a folder not named like a part of a corpus; speakers may have folders below, too."""
    level = 0
    while names := {inside.parts[level] for inside in insides if len(inside.parts) > level + 1}:
        if not all(map(PART.match, names)):
            break
        level += 1
    return level


def _with_splits(clips: list[Clip]) -> list[Clip]:
    """Assign splits to speakers without one, the same on every machine; with two or more, both splits get some."""
    said = {clip.speaker: clip.split for clip in clips if clip.split}
    drawing = sorted({clip.speaker for clip in clips} - said.keys(), key=_lot)
    least = 0 if "dev" in said.values() else 1
    most = (
        len(drawing) if "train" in said.values() else len(drawing) - 1
    )  # a single speaker is used for training
    count = sum(_lot(speaker) < DEV_SHARE for speaker in drawing)
    for number, speaker in enumerate(drawing):
        said[speaker] = "dev" if number < min(max(count, least), most) else "train"
    return [replace(clip, split=clip.split or said[clip.speaker]) for clip in clips]


def _lot(speaker: str) -> float:
    """A number in 0..1 that is the same in every run."""
    return int.from_bytes(hashlib.sha256(as_bytes(speaker)).digest()[:4], "big") / 2**32


def as_bytes(text: str) -> bytes:
    """The text as bytes; file names may not be UTF-8."""
    return text.encode(errors="surrogateescape")


def with_speeds(clips: list[Clip], copies: int) -> list[Clip]:
    """Repeat each training clip at `copies` other speeds within +-15 %, which gives other voices."""
    varied = list(clips)
    for clip in clips:
        if clip.split != "train":
            continue
        digest = hashlib.sha256(as_bytes(os.path.basename(clip.path))).digest()
        for copy in range(copies):
            sign = 1 if (digest[0] + copy) % 2 else -1
            speed = round(1 + sign * (0.06 + 0.09 * digest[1 + copy] / 255), 3)
            varied.append(replace(clip, speaker=f"{clip.speaker}@{speed:.1f}", speed=speed))
    return varied
