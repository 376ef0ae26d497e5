"""A floor under the sound of every model that ships, just under what it reaches today on three short clips."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import pytest

import melcodec_cli
from melcodec_cli.evaluate.clips import BUILT_IN, clips_of, read_original, read_speech
from melcodec_cli.evaluate.metrics import METRICS
from melcodec_cli.evaluate.speech import Speech
from melcodec_cli.models.installed import OWN_FOLDER, PUBLISHED_FOLDER

SHIPPED = {
    path.stem: str(path)
    for folder in (OWN_FOLDER, PUBLISHED_FOLDER)
    for path in sorted(folder.glob("*.safetensors"))
}
# Higher is better, except for the distance of log-mels.  A model scores a little differently on other processors.
FLOORS: Mapping[str, Mapping[str, float]] = {
    "speech-16k": {"pesq_wb": 1.86, "estoi": 0.715, "log_mel_l1": 0.505},
    "speech-16k-strict": {"pesq_wb": 1.80, "estoi": 0.688, "log_mel_l1": 0.559},
    "speech-16k-325": {"pesq_wb": 2.01, "estoi": 0.732, "log_mel_l1": 0.497},
    "speech-16k-7500": {"pesq_wb": 3.12, "estoi": 0.864, "log_mel_l1": 0.289},
    "speech-24k-live": {"pesq_wb": 2.66, "estoi": 0.82, "log_mel_l1": 0.39},
    "audio-44k-3400": {"pesq_wb": 1.93, "estoi": 0.77, "log_mel_l1": 0.365},
    "speech-48k": {"pesq_wb": 2.32, "estoi": 0.778, "log_mel_l1": 0.469},
}
LOWER_IS_BETTER = {"log_mel_l1"}
CLIPS = ("001310123", "010440107", "027400171")  # twelve seconds of three speakers

pytestmark = pytest.mark.slow


def test_every_shipped_model_has_a_floor() -> None:
    assert FLOORS.keys() == SHIPPED.keys()


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_model_sounds_worse_than_it_did(name: str) -> None:
    measures = {each.key: each for each in METRICS if each.key in FLOORS[name]}
    there = [key for key, each in measures.items() if each.missing() is None]
    figures: dict[str, list[float]] = {key: [] for key in there}
    for clip in clips_of([BUILT_IN / f"speechocean762-{number}.opus" for number in CLIPS]):
        original = read_original(clip.path)
        coded, decoded = io.BytesIO(), io.BytesIO()
        melcodec_cli.compress(clip.path, coded, bundle=SHIPPED[name], device="cpu")
        coded.seek(0)
        melcodec_cli.decompress(coded, decoded, form="wav", bundle=SHIPPED[name], device="cpu")
        decoded.seek(0)
        heard = Speech(read_speech(decoded, original.rate_hz), original.rate_hz)
        for key in there:
            value = measures[key].compare(original, heard)
            assert isinstance(value, float)
            figures[key].append(value)
    means = {key: float(np.mean(values)) for key, values in figures.items()}
    print(name, means)
    assert "log_mel_l1" in means
    for key, mean in means.items():
        floor = FLOORS[name][key]
        assert mean < floor if key in LOWER_IS_BETTER else mean > floor, (key, mean)
