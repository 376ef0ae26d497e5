"""Recorded noise and rooms, which only the encoder hears."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from melcodec_cli.train.augmentation import Augmentation
from melcodec_cli.train.batches import Batches, Crops
from melcodec_cli.train.corpus import Corpus, open_corpus
from tests.train.recordings import record

RATE_HZ = 16000
HUM_HZ = 3000
LATER = 3200  # samples between the click of a recorded room and its echo
DISTURBED = {"noise_sources": ("hums",), "room_sources": ("rooms", "that the corpus lacks")}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two tones as speech, a hum as noise, and a room with one echo, which is louder than in any real one."""
    folder = tmp_path_factory.mktemp("corpus")
    for hz in (200, 300):
        record(folder / f"{hz}.wav", hz=hz, seconds=3)
    hum = 0.1 * np.sin(2 * np.pi * HUM_HZ * np.arange(2 * RATE_HZ) / RATE_HZ)
    soundfile.write(folder / "hum.wav", hum, RATE_HZ)
    response = np.zeros(RATE_HZ)
    response[1000], response[1000 + LATER] = 0.5, -0.4
    soundfile.write(folder / "room.wav", response, RATE_HZ)
    rows = ["200.wav,tones,a,CC0-1.0,train", "300.wav,tones,b,CC0-1.0,train"]
    rows += ["hum.wav,hums,,CC0-1.0,train", "room.wav,rooms,,CC0-1.0,train"]
    (folder / "manifest.csv").write_text("\n".join(["path,source,speaker,licence,split", *rows]))
    return open_corpus([folder], folder / "cache", RATE_HZ)


def drawn(corpus: Corpus, **settings: object) -> Crops:
    quiet = Augmentation(equaliser=0, edge=0, level_low_db=0, level_high_db=0, room_low_db=0)
    setting = Augmentation(**{**vars(quiet), **DISTURBED, **settings})
    return Batches(corpus, "train", torch.device("cpu"), {}, setting).draw(64, RATE_HZ, seed=1)


def hum(audio: Tensor) -> Tensor:
    """Share of the energy of each crop that is the recorded noise."""
    power = torch.fft.rfft(audio).abs().square()
    return power[:, HUM_HZ - 3 : HUM_HZ + 4].sum(1) / power.sum(1).clamp(min=1e-9)


def test_half_of_the_noise_is_recorded_and_no_target_is(corpus: Corpus) -> None:
    crops = drawn(corpus, noise=1.0, noise_low_db=0.0, noise_high_db=0.0)
    assert hum(crops.audio).max() < 0.01
    recorded = hum(crops.noisy - crops.audio) > 0.9
    assert 20 <= recorded.sum() <= 44
    assert hum(crops.noisy - crops.audio)[~recorded].max() < 0.05


def test_half_of_the_rooms_are_recorded(corpus: Corpus) -> None:
    crops = drawn(corpus, echo=1.0)
    echo = (crops.noisy - crops.audio)[:, LATER:]
    likeness = torch.cosine_similarity(echo, -crops.audio[:, :-LATER], dim=1)
    assert 20 <= (likeness > 0.99).sum() <= 44
    recorded = echo[likeness > 0.99].square().sum(1) / crops.audio[likeness > 0.99, :-LATER].square().sum(1)
    assert torch.allclose(recorded, torch.ones_like(recorded), atol=0.2)  # 0 dB, as the setting says


def test_a_corpus_without_such_recordings_has_made_up_ones(corpus: Corpus) -> None:
    crops = drawn(corpus, noise=0.5, echo=0.5, noise_sources=("others",), room_sources=())
    assert torch.isfinite(crops.noisy).all() and (crops.noisy != crops.audio).any(1).all()
    assert not (hum(crops.noisy - crops.audio) > 0.9).all()
