"""Whole clips with their transcripts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from melcodec_cli.errors import UsageProblem
from melcodec_cli.systems.fmel.train.letters import letters_of
from melcodec_cli.train.augmentation import Augmentation, augmented
from melcodec_cli.train.batches import Crops, cumulative_weight, spread
from melcodec_cli.train.corpus import Corpus, index_folders

# This many batches are drawn and sorted by length, and one is taken: it then holds little silence.
SORTED = 8


@dataclass(frozen=True)
class Spoken(Crops):
    """Clips padded with silence to the length of the longest."""

    inside: Tensor  # (batch, samples), true within the clip
    letters: Tensor  # (batch, letter), blanks after the end of the transcript
    counts: Tensor  # (batch,), number of letters


class Utterances:
    """Transcribed clips of one split, drawn by duration times weight, on the CPU."""

    def __init__(
        self,
        corpus: Corpus,
        split: str,
        weights: dict[str, float],
        augmentation: Augmentation,
        longest_s: float,
        multiple_samples: int,
    ) -> None:
        self.corpus, self.multiple_samples = corpus, multiple_samples
        # Noise crops and silenced edges would contradict the transcript.
        self.augmentation = dataclasses.replace(augmentation, no_speech=0.0, edge=0.0)
        self.rows = np.array(transcribed(corpus, [split], longest_s))
        self.lengths = corpus.lengths[self.rows]
        self.cumulative = cumulative_weight(corpus, self.rows, weights)

    def draw(self, batch: int, samples: int, seed: int) -> Spoken:
        """samples: the length of the longest clip."""
        rng = np.random.default_rng(seed)
        drawn = rng.uniform(0, self.cumulative[-1], SORTED * batch)
        each = np.searchsorted(self.cumulative, drawn, side="right")
        each = each[np.argsort(self.lengths[each], kind="stable")]
        first = rng.integers(SORTED) * batch
        spoken = spoken_clips(self.corpus, self.rows[each[first : first + batch]], self.multiple_samples)
        generator = torch.Generator().manual_seed(seed)
        unused = spoken.audio[:, : self.multiple_samples]  # required by Crops, but not used
        audio, noisy, _ = augmented(spoken.audio, unused, self.corpus.rate_hz, self.augmentation, generator)
        audio, noisy = audio * spoken.inside, noisy * spoken.inside
        return dataclasses.replace(spoken, audio=audio, noisy=noisy, other=audio)


def require_transcripts(folders: list[Path]) -> None:
    """Raise UsageProblem early if no manifest has transcripts."""
    if not any(letters_of(clip.text) for clip in index_folders(folders)):
        raise UsageProblem(
            "training the phones stage needs transcripts, but no manifest.csv has a column text with any"
        )


def transcribed(corpus: Corpus, splits: list[str], longest_s: float) -> list[int]:
    """Rows with transcripts from the first of the splits that has any."""
    longest = longest_s * corpus.rate_hz
    rows = [
        i for i, clip in enumerate(corpus.clips) if corpus.lengths[i] <= longest and letters_of(clip.text)
    ]
    for split in splits:
        if found := [i for i in rows if corpus.clips[i].split == split]:
            return found
    raise UsageProblem(
        f"no clip of the {' or '.join(splits)} split has a transcript and is at most {longest_s:g} s long"
    )


def dev_utterances(
    corpus: Corpus, sources: set[str], longest_s: float, limit: int, multiple_samples: int
) -> Spoken:
    """Dev clips, equally many from each source; training clips if there are none."""
    rows = transcribed(corpus, ["dev", "train"], longest_s)
    rows = [i for i in rows if corpus.clips[i].source in sources] or rows
    picked = spread(rows, [corpus.clips[i].source for i in rows], limit)
    return spoken_clips(corpus, np.array(picked), multiple_samples)


def spoken_clips(corpus: Corpus, rows: np.ndarray, multiple_samples: int) -> Spoken:
    starts, lengths = corpus.starts[rows], corpus.lengths[rows]
    audio = np.zeros((len(rows), -(-lengths.max() // multiple_samples) * multiple_samples), np.float32)
    letters = [letters_of(corpus.clips[i].text) for i in rows]
    table = np.zeros((len(rows), max(map(len, letters))), np.int64)
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        audio[row, :length] = corpus.audio[start : start + length] / np.float32(32768)
        table[row, : len(letters[row])] = letters[row]
    clips = torch.from_numpy(audio)
    return Spoken(
        audio=clips,
        noisy=clips,
        other=clips,
        bandwidth_hz=torch.from_numpy(corpus.bandwidths_hz[rows]).float(),
        inside=torch.arange(clips.shape[1]) < torch.from_numpy(lengths).unsqueeze(1),
        letters=torch.from_numpy(table),
        counts=torch.tensor([len(each) for each in letters]),
    )
