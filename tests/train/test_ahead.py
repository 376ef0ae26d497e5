"""Batches drawn by other processes equal those that the run itself would draw."""

import os
import signal
from collections.abc import Callable
from dataclasses import fields
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import torch

from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.train.phones import SpokenBatches
from melcodec_cli.train.ahead import Source, drawn_ahead, workers_for
from melcodec_cli.train.alignment import Alignment
from melcodec_cli.train.batches import Batches, Crops
from melcodec_cli.train.corpus import open_corpus
from melcodec_cli.train.pitch_labels import PitchedBatches
from melcodec_cli.train.presets import read_preset
from melcodec_cli.train.stage import Drawing

pytestmark = pytest.mark.slow

PRESET = read_preset("tiny")


class Asked:
    """A source that records which process drew a batch, and the seed."""

    def draw(self, batch: int, samples: int, seed: int) -> Crops:
        if seed == 2:  # as Ctrl-C does, and what ends a group of processes
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        told = torch.tensor([os.getpid(), batch, samples, seed])
        return Crops(told, told, told, told)

    unlabelled = draw


def pitched_batches(speech: Path, folder: Path) -> PitchedBatches:
    pytest.importorskip("pyworld")
    corpus = open_corpus([speech], folder, 16000)
    batches = Batches(corpus, "train", torch.device("cpu"), {}, PRESET.augmentation)
    profile = Profile.from_dict(PRESET.profile)
    assert profile.pitch is not None
    return PitchedBatches(batches, profile.mel, profile.pitch)


def spoken_batches(speech: Path, folder: Path) -> SpokenBatches:
    corpus = open_corpus([speech], folder, 16000)
    counts = corpus.lengths // 160
    labels = (np.arange(counts.sum()) % 40).astype(np.int8)
    drawing = Drawing(PRESET, corpus, PRESET.stages["phones"].run, torch.device("cpu"))
    return SpokenBatches(drawing, Alignment(labels, np.cumsum(counts) - counts, counts), 160)


@pytest.mark.parametrize("source_of", [pitched_batches, spoken_batches])
def test_batches_are_the_same_whoever_draws_them(
    source_of: Callable[[Path, Path], Source], speech: Path, tmp_path: Path
) -> None:
    source = source_of(speech, tmp_path)
    alone, ahead = (list(islice(drawn_ahead(source, 3, 16000, count(7), n), 5)) for n in (0, 2))
    for number, (one, other) in enumerate(zip(alone, ahead, strict=True)):
        assert type(one) is type(other) and type(one) is not Crops
        for field in fields(one):
            assert torch.equal(getattr(one, field.name), getattr(other, field.name)), (number, field.name)


def test_workers_draw_in_the_order_of_the_seeds_and_leave_signals_to_the_run() -> None:
    drawn = [crops.audio.tolist() for crops in islice(drawn_ahead(Asked(), 4, 640, count(), 2), 6)]
    assert [row[1:] for row in drawn] == [[4, 640, seed] for seed in range(6)]
    processes = {row[0] for row in drawn}
    assert len(processes) == 2 and os.getpid() not in processes


def test_only_a_gpu_that_waits_for_the_cpu_gets_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(12), raising=False)
    assert workers_for(Asked(), cpu) == 0
    assert workers_for(Asked(), gpu) == 11
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert workers_for(Asked(), gpu) == 2
    assert workers_for(Batches.__new__(Batches), gpu) == 0
