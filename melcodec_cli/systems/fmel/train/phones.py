"""Training of the listener, on phones that were aligned with transcripts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.systems.fmel.phones import PhoneListener
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.alignment import SILENCE, UNKNOWN, Alignment, open_alignment
from melcodec_cli.train.batches import Batches, Crops, beginnings, dev_rows
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.ranks import first_of_the_ranks
from melcodec_cli.train.stage import Drawing
from melcodec_cli.train.task import MelTask, Moment


@dataclass(frozen=True)
class Spoken(Crops):
    phones: Tensor  # (batch, mel frame), UNKNOWN where nothing was aligned


class SpokenBatches:
    """Crops of aligned clips with their phones, drawn on the CPU."""

    def __init__(self, drawing: Drawing, alignment: Alignment, hop_samples: int) -> None:
        preset, self.corpus, self.alignment = drawing.preset, drawing.corpus, alignment
        self.hop_samples = hop_samples
        # Noise crops and silenced edges would contradict the labels.
        augmentation = dataclasses.replace(preset.augmentation, no_speech=0.0, edge=0.0)
        aligned = set(np.flatnonzero(alignment.counts).tolist())
        cpu = torch.device("cpu")
        self.batches = Batches(drawing.corpus, "train", cpu, preset.corpus.weights, augmentation, aligned)

    def draw(self, batch: int, samples: int, seed: int) -> Spoken:
        crops = self.batches.draw(batch, samples, seed)
        starts = self.batches.places(batch, samples, seed)
        return spoken(crops, starts, self.corpus, self.alignment, self.hop_samples)

    def unlabelled(self, batch: int, samples: int, seed: int) -> Crops:
        return self.batches.draw(batch, samples, seed)


def spoken(
    crops: Crops, starts: np.ndarray, corpus: Corpus, alignment: Alignment, hop_samples: int
) -> Spoken:
    """The crops, which begin at these places of the corpus, with the phone at the centre of each mel frame."""
    frames = np.arange(crops.audio.shape[1] // hop_samples)
    labels = alignment.at(corpus, starts[:, None] + frames * hop_samples + hop_samples // 2)
    return Spoken(**vars(crops), phones=torch.from_numpy(labels))


def spoken_crops(drawing: Drawing, mel: MelConfig) -> tuple[Source, Crops]:
    """Random crops of aligned clips, and the beginnings of aligned dev clips."""
    corpus, config = drawing.corpus, drawing.config
    with first_of_the_ranks():
        alignment = open_alignment(corpus)
    if not alignment.counts.any():
        raise UsageProblem("no clip of the corpus could be aligned with its transcript")
    samples = int(config.dev_seconds * corpus.rate_hz)
    samples -= samples % drawing.preset.shape.frame_samples
    aligned = set(np.flatnonzero(alignment.counts).tolist())
    rows = dev_rows(corpus, set(drawing.preset.corpus.dev_sources), samples, config.dev_clips, aligned)
    dev, starts = beginnings(corpus, rows, samples), corpus.starts[rows]
    return (
        SpokenBatches(drawing, alignment, mel.hop_samples),
        spoken(dev, starts, corpus, alignment, mel.hop_samples),
    )


class PhonesTask(MelTask):
    stage: PhoneListener

    def __init__(self, mel: MelConfig, stage: PhoneListener) -> None:
        super().__init__(mel)
        self.stage = stage

    def heard(self, crops: Crops) -> Tensor:
        """All bands, as a narrow recording is judged as it is."""
        return torch.ones_like(self.edges_hz, dtype=torch.bool).expand(len(crops.audio), 1, -1)

    def _scores(self, crops: Spoken) -> tuple[Tensor, Tensor]:
        """Logits (batch, step, phone) and the phones in the middle of the steps (batch, step)."""
        scores, stride = self.stage.scores(self.mel(crops.noisy)), self.stage.stride
        return scores, crops.phones[:, stride // 2 :: stride][:, : scores.shape[1]]

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(crops, Spoken)
        scores, phones = self._scores(crops)
        if not (phones != UNKNOWN).any():
            return scores.sum() * 0, {}
        loss = cross_entropy(scores.flatten(0, 1), phones.flatten(), ignore_index=UNKNOWN)
        return loss, {}

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        assert isinstance(crops, Spoken)
        scores, phones = self._scores(crops)
        known, sounding = phones != UNKNOWN, phones > SILENCE
        right = scores.argmax(-1) == phones
        return {
            "phone_error": 1 - right[sounding].float().mean().item(),
            "frame_error": 1 - right[known].float().mean().item(),
            "dev_entropy": cross_entropy(scores[known], phones[known]).item(),
        }
