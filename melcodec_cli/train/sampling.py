"""A small corpus out of a large one: the clips that a preset would draw most often, copied as they are."""

from __future__ import annotations

import csv
import io
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from melcodec_cli.errors import OutputExists, UsageProblem
from melcodec_cli.files.atomic import output_file
from melcodec_cli.train.folders import Clip, index_folders
from melcodec_cli.train.presets import CorpusConfig

COLUMNS = ("path", "source", "speaker", "language", "licence", "split", "text")
DEV_SHARE = 0.05  # of the bytes, for measuring


def sample(folders: list[Path], corpus: CorpusConfig, most_bytes: int, into: Path) -> dict[str, int]:
    """Copy clips of these folders into a new one, with a manifest; returns how many of each split there are."""
    if into.exists() and any(into.iterdir()):
        raise OutputExists("is not empty; name another folder", into)
    clips = [clip for clip in index_folders(folders) if clip.source not in corpus.without]
    chosen = []
    for split, share in (("train", 1 - DEV_SHARE), ("dev", DEV_SHARE)):
        candidates = [clip for clip in clips if clip.split == split]
        chosen += _within(_drawn(candidates, corpus.weights), int(share * most_bytes))
    counts = Counter(clip.split for clip in chosen)
    if not counts["train"]:
        raise UsageProblem(f"no audio of the training split takes less than {most_bytes} bytes")
    into.mkdir(parents=True, exist_ok=True)
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(COLUMNS)
    for number, clip in enumerate(chosen):
        name = f"{number:05}{Path(clip.path).suffix.lower()}"
        shutil.copyfile(clip.path, into / name)
        speaker = clip.speaker.removeprefix(f"{clip.source}/")
        rows.writerow((name, clip.source, speaker, clip.language, clip.licence, clip.split, clip.text))
    with output_file(
        into / "manifest.csv", force=False
    ) as out:  # written last: without it there is no corpus
        out.write(table.getvalue().encode())
    return dict(counts)


def _drawn(clips: list[Clip], weights: dict[str, float]) -> list[Clip]:
    """In a random order, the same each time, in which clips of a source come earlier the more it weighs."""
    chance = random.Random(1)
    # The largest of n random numbers is distributed like one number to the power of 1/n: a weight counts as copies.
    lots = {clip.path: chance.random() ** (1 / weights.get(clip.source, 1.0)) for clip in clips}
    return sorted(clips, key=lambda clip: lots[clip.path], reverse=True)


def _within(clips: Iterable[Clip], most_bytes: int) -> list[Clip]:
    taken, size = [], 0
    for clip in clips:
        own = os.path.getsize(clip.path)
        if size + own <= most_bytes:
            taken.append(clip)
            size += own
    return taken
