"""Random crops of the corpus, made on the training device and determined by seed and step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from melcodec_cli.errors import UsageProblem
from melcodec_cli.train.augmentation import Augmentation, augmented
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.recorded import Recordings

CropsT = TypeVar("CropsT", bound="Crops")


@dataclass(frozen=True)
class Crops:
    audio: Tensor  # (batch, samples), the target of decoding
    noisy: Tensor  # (batch, samples), the input of encoding
    other: Tensor  # (batch, samples), another part of the same speaker, through the same equaliser
    bandwidth_hz: Tensor  # (batch,), the recording holds nothing above it

    def to(self: CropsT, device: torch.device) -> CropsT:
        return type(self)(*(getattr(self, each.name).to(device) for each in fields(self)))


def cumulative_weight(
    corpus: Corpus, rows: Sequence[int] | np.ndarray, weights: dict[str, float]
) -> np.ndarray:
    """Cumulative weight of clips: duration times the weight of their source."""
    weight = np.array([weights.get(corpus.clips[i].source, 1.0) for i in rows])
    return np.cumsum(corpus.lengths[rows] * weight)


class Batches:
    """Random crops of one split, drawn by duration times the weight of the source."""

    def __init__(
        self,
        corpus: Corpus,
        split: str,
        device: torch.device,
        weights: dict[str, float],
        augmentation: Augmentation,
        only: Collection[int] | None = None,
    ) -> None:
        """only: the clips to draw from, all if None."""
        self.augmentation = augmentation
        self.device = device
        self.rate_hz = corpus.rate_hz
        disturbing = {*augmentation.noise_sources, *augmentation.room_sources}
        rows = [
            i
            for i, clip in enumerate(corpus.clips)
            if clip.split == split and clip.source not in disturbing and (only is None or i in only)
        ]
        if not rows:
            raise UsageProblem(f"the corpus has no clips in its {split} split")
        self.starts = corpus.starts[rows]
        self.lengths = corpus.lengths[rows]
        self.bandwidths_hz = corpus.bandwidths_hz[rows]
        self.cumulative = cumulative_weight(corpus, rows, weights)
        names = [corpus.clips[i].speaker for i in rows]
        self.speaker_low, self.speaker_high = _runs(names, self.starts, self.lengths)
        self.end = int(corpus.starts[rows[-1]] + corpus.lengths[rows[-1]])
        recorded = Recordings.of(corpus, augmentation.noise_sources, augmentation.room_sources)
        self.noise_starts, self.noise_lengths = (
            corpus.starts[recorded.noises],
            corpus.lengths[recorded.noises],
        )
        self.echoes = recorded.echoes.to(device)
        # A GPU holds the corpus (115 MB per hour of audio), so that batches never wait for the host.
        on_gpu = device.type == "cuda"
        self.audio = torch.from_numpy(np.array(corpus.audio)).to(device) if on_gpu else corpus.audio

    def draw(self, batch: int, samples: int, seed: int) -> Crops:
        rng = np.random.default_rng(seed)
        rows, start = self._places(rng, batch, samples)
        other = self._within(rng, rows, samples, whole_speaker=True)
        both = self._gather(np.concatenate([start, other]), samples)
        generator = torch.Generator(self.device).manual_seed(seed)
        bandwidth_hz = torch.from_numpy(self._narrowest_hz(start, samples)).float().to(self.device)
        noises = (
            self._gather(self._noise_places(rng, batch, samples), samples) if len(self.noise_starts) else None
        )
        echoes = self.echoes[rng.integers(len(self.echoes), size=batch)] if len(self.echoes) else None
        made = augmented(
            both[:batch], both[batch:], self.rate_hz, self.augmentation, generator, noises, echoes
        )
        return Crops(*made, bandwidth_hz=bandwidth_hz)

    unlabelled = draw

    def places(self, batch: int, samples: int, seed: int) -> np.ndarray:
        """Where in the corpus the crops begin that `draw` gives."""
        return self._places(np.random.default_rng(seed), batch, samples)[1]

    def _places(self, rng: np.random.Generator, batch: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Random clips and the first sample of a crop of each."""
        rows = np.searchsorted(self.cumulative, rng.uniform(0, self.cumulative[-1], batch), side="right")
        return rows, self._within(rng, rows, samples)

    def _noise_places(self, rng: np.random.Generator, batch: int, samples: int) -> np.ndarray:
        rows = rng.integers(len(self.noise_starts), size=batch)
        room = np.maximum(self.noise_lengths[rows] - samples, 1)
        return np.minimum(self.noise_starts[rows] + rng.integers(room), max(0, len(self.audio) - samples))

    def _narrowest_hz(self, starts: np.ndarray, samples: int) -> np.ndarray:
        """Bandwidth of each crop: the smallest among the clips that it spans."""
        first = np.searchsorted(self.starts, starts, side="right") - 1
        last = np.searchsorted(self.starts, starts + samples)
        return np.array(
            [self.bandwidths_hz[max(0, a) : b].min() for a, b in zip(first, last, strict=True)], np.float64
        )

    def _within(
        self, rng: np.random.Generator, rows: np.ndarray, samples: int, whole_speaker: bool = False
    ) -> np.ndarray:
        """Start of a crop that overlaps the clip (or lies anywhere in the speaker's clips)."""
        low = self.speaker_low[rows] if whole_speaker else self.starts[rows] - samples // 4
        high = (self.speaker_high if whole_speaker else self.starts + self.lengths)[rows] - samples
        start = low + rng.uniform(0, 1, len(rows)) * np.maximum(high - low, 1)
        return np.clip(start.astype(np.int64), 0, max(0, self.end - samples))

    def _gather(self, starts: np.ndarray, samples: int) -> Tensor:
        if isinstance(self.audio, Tensor):
            index = torch.from_numpy(starts).to(self.device).unsqueeze(1) + torch.arange(
                samples, device=self.device
            )
            return self.audio[index].float() / 32768
        crops = np.stack([self.audio[s : s + samples] for s in starts])
        return torch.from_numpy(crops).float() / 32768


def _runs(names: list[str], starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last sample of each row's speaker; rows are sorted by speaker."""
    ends = starts + lengths
    low, high = starts.copy(), ends.copy()
    for i in range(1, len(names)):
        if names[i] == names[i - 1] and starts[i] == ends[i - 1]:
            low[i] = low[i - 1]
    for i in range(len(names) - 2, -1, -1):
        if names[i] == names[i + 1] and low[i + 1] == low[i]:
            high[i] = high[i + 1]
    return low, high


def dev_crops(corpus: Corpus, sources: set[str] | None, samples: int, limit: int) -> Crops:
    """The first `samples` of dev clips, equally many from each source, evenly spread."""
    return beginnings(corpus, dev_rows(corpus, sources, samples, limit), samples)


def dev_rows(
    corpus: Corpus,
    sources: set[str] | None,
    samples: int,
    limit: int,
    only: Collection[int] | None = None,
) -> list[int]:
    """Dev clips, equally many from each source, evenly spread.

    Sources that are not in the corpus are ignored.  If all clips are shorter than `samples`, the longest are used.  A
    corpus without dev clips is measured on its training clips.  only: the clips to choose from, all if None.
    """
    usable = [i for i in range(len(corpus.clips)) if only is None or i in only]
    rows = [i for i in usable if corpus.clips[i].split == "dev"]
    rows = rows or [i for i in usable if corpus.clips[i].speed == 1]
    rows = [i for i in rows if sources and corpus.clips[i].source in sources] or rows
    long = [i for i in rows if corpus.lengths[i] >= samples]
    rows = long or sorted(rows, key=lambda i: -corpus.lengths[i])[:limit]
    return spread(rows, [corpus.clips[i].source for i in rows], limit)


def beginnings(corpus: Corpus, picked: Sequence[int], samples: int) -> Crops:
    """The first `samples` of these clips, with silence after shorter ones."""
    crops = np.zeros((len(picked), samples), np.float32)
    for row, i in enumerate(picked):
        clip = corpus.audio[corpus.starts[i] : corpus.starts[i] + min(samples, corpus.lengths[i])]
        crops[row, : len(clip)] = clip / np.float32(32768)
    audio = torch.from_numpy(crops)
    return Crops(audio, audio, audio, torch.from_numpy(corpus.bandwidths_hz[list(picked)]).float())


def spread(rows: list[int], sources: list[str], limit: int) -> list[int]:
    """At most `limit` rows, as evenly shared among the sources as possible."""
    left, picked = limit, []
    groups = [[row for row, name in zip(rows, sources, strict=True) if name == s] for s in set(sources)]
    for number, group in enumerate(sorted(groups, key=lambda each: (len(each), each))):
        count = min(len(group), left // (len(groups) - number))
        picked += [group[int(k)] for k in np.linspace(0, len(group) - 1, count)]
        left -= count
    return sorted(picked)
