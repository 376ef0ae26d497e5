"""Fits the numbers by which `melcodec_cli/audio/voice.py` tells a voice from other sounds, and prints them.

    python -m melcodec_cli.train.voice --voices DIR --others DIR    each may be given several times

Folders are those of a training corpus.  Before the fit on everything, a fit on four fifths of the speakers and pieces
is tried on the last fifth, for each fifth in turn: the share of each source that is right is printed.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from melcodec_cli.audio import mix_down, open_source
from melcodec_cli.audio.voice import (
    HEARD_S,
    LEAST_PEAK,
    LEAST_S,
    NO_VOICE,
    Numbers,
    band_levels_db,
    clues,
    voice_log_odds,
)
from melcodec_cli.report.console import show_line
from melcodec_cli.train.folders import Clip, index_folders

FOLDS = 5
PENALTY = 1e-3  # on the squares of the weights
STEPS = 60  # of Newton's method, which needs some ten
PART = re.compile(r"[-_]([A-Z]|\d+)$")  # pieces of one recording: rain_00 and rain_01, 1-17367-A and -B
FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@dataclass(frozen=True)
class Example:
    source: str
    group: str  # a speaker or a piece, which lies in one fold
    voice: bool
    clues: NDArray[np.float64]


def examples(clips: Sequence[Clip], voice: bool) -> Iterator[Example]:
    """Read the beginnings of the clips that are long and loud enough."""
    for clip in clips:
        with open_source(clip.path) as source:
            blocks = source.blocks(round(HEARD_S * source.rate_hz))
            audio = mix_down(next(blocks, np.zeros((0, source.channels), np.float32)), source.speakers)[:, 0]
        if len(audio) >= LEAST_S * source.rate_hz and np.abs(audio).max() >= LEAST_PEAK:
            group = clip.speaker if voice else PART.sub("", Path(clip.path).stem)
            yield Example(clip.source, group, voice, clues(band_levels_db(audio, source.rate_hz)))


def fit(found: Sequence[Example]) -> Numbers:
    """Logistic regression on the clues, their squares and products; voices and others count the same.

    A source counts by the root of its size, so that a large one does not decide alone.
    """
    values = np.array([each.clues for each in found])
    voice = np.array([each.voice for each in found])
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    x = np.column_stack([np.ones(len(found)), (values - mean) / deviation])
    rows, columns = np.triu_indices(x.shape[1])
    terms = x[:, rows] * x[:, columns]  # the first is 1
    sizes = Counter(each.source for each in found)
    counts = np.array([sizes[each.source] ** -0.5 for each in found])
    for kind in (voice, ~voice):
        counts[kind] /= counts[kind].sum()
    penalty = np.full(len(rows), PENALTY)
    penalty[0] = 0
    weights = np.zeros(len(rows))
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(terms @ weights, -30, 30)))
        slope = terms.T @ (counts * (likely - voice)) + penalty * weights
        bend = (terms * (counts * likely * (1 - likely))[:, None]).T @ terms + np.diag(penalty + 1e-9)
        weights -= np.linalg.solve(bend, slope)
    square = np.zeros((x.shape[1], x.shape[1]))
    square[rows, columns] = weights
    return Numbers(mean, deviation, square)


def right(found: Sequence[Example]) -> NDArray[np.bool_]:
    """Say which of them a fit without their fold gets right."""
    fold = np.array([zlib.crc32(each.group.encode()) % FOLDS for each in found])
    verdicts = np.zeros(len(found), bool)
    for number in range(FOLDS):
        numbers = fit([each for each, own in zip(found, fold, strict=True) if own != number])
        for place in np.flatnonzero(fold == number).tolist():
            called_voice = voice_log_odds(found[place].clues, numbers) >= NO_VOICE
            verdicts[place] = called_voice == found[place].voice
    return verdicts


def show_shares(found: Sequence[Example]) -> None:
    verdicts = right(found)
    for voice, title in ((True, "voices"), (False, "others")):
        own = [place for place, each in enumerate(found) if each.voice == voice]
        show_line(f"{title}: {verdicts[own].mean():.1%} of {len(own)}")
        for source in sorted({found[place].source for place in own}):
            part = [place for place in own if found[place].source == source]
            show_line(f"  {source}: {verdicts[part].mean():.1%} of {len(part)}")


@click.command()
@click.option("--voices", multiple=True, type=FOLDER, required=True, help="Folders of speech.")
@click.option(
    "--others", multiple=True, type=FOLDER, required=True, help="Folders of music, noise and sounds."
)
def main(voices: tuple[Path, ...], others: tuple[Path, ...]) -> None:
    """Fit the detector of voices, and print its numbers."""
    found = [*examples(index_folders([*voices]), True), *examples(index_folders([*others]), False)]
    show_shares(found)
    numbers = fit(found)
    with np.printoptions(precision=3, suppress=True, floatmode="fixed"):
        for each in vars(numbers).values():
            show_line(np.array2string(np.asarray(each), separator=", "))


if __name__ == "__main__":
    main()
