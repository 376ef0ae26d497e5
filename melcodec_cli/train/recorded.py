"""Recorded noise and rooms of a corpus, which disturb what the encoder hears."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melcodec_cli.train.augmentation import ROOM_S
from melcodec_cli.train.corpus import Corpus

DIRECT_S = 0.0025  # after the peak of a response: what comes later is its echo


@dataclass(frozen=True)
class Recordings:
    noises: NDArray[np.int64]  # rows of the corpus
    echoes: Tensor  # (room, sample), what follows the direct sound

    @classmethod
    def of(cls, corpus: Corpus, noise_sources: Collection[str], room_sources: Collection[str]) -> Recordings:
        """Those of the training split; sources that the corpus lacks add nothing."""
        clips = [(row, clip.source) for row, clip in enumerate(corpus.clips) if clip.split == "train"]
        noises = np.array([row for row, source in clips if source in noise_sources], np.int64)
        samples = int(ROOM_S * corpus.rate_hz)
        echoes = torch.zeros(0, samples)
        if rooms := [row for row, source in clips if source in room_sources]:
            echoes = torch.stack([_echo(corpus, row, samples) for row in rooms])
        return cls(noises, echoes)


def _echo(corpus: Corpus, row: int, samples: int) -> Tensor:
    start = int(corpus.starts[row])
    response = np.array(corpus.audio[start : start + int(corpus.lengths[row])], np.float32) / 32768
    peak = int(np.abs(response).argmax())
    response = response[peak : peak + samples]
    echo = torch.zeros(samples)
    echo[: len(response)] = torch.from_numpy(response)
    echo[: int(DIRECT_S * corpus.rate_hz)] = 0.0
    return echo
