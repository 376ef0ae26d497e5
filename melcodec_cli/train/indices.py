"""Codes a corpus with a model, for what is made from its indices."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.codec.rows import Encoder
from melcodec_cli.codec.segments import AudioSegments
from melcodec_cli.systems.system import Model
from melcodec_cli.train.corpus import Corpus


def coded_clips(
    model: Model, corpus: Corpus, split: str, seconds: float, quickly: bool = False
) -> list[NDArray[np.int64]]:
    """Indices (frame, row) of as many clips of the split as can be coded in the time, in a random order.

    Each is cut into chunks, as `compress` does.  quickly: with the least effort, which makes many more indices.
    """
    least = {option.name: option.low for option in model.system.options if option.way == "encode"}
    encoder, until = Encoder(lambda: model, least if quickly else {}), time.monotonic() + seconds
    numbers = [number for number, clip in enumerate(corpus.clips) if clip.split == split]
    found: list[NDArray[np.int64]] = []
    for number in np.random.default_rng(0).permutation(np.array(numbers, np.int64)).tolist():
        if time.monotonic() > until and found:
            break
        start, length = int(corpus.starts[number]), int(corpus.lengths[number])
        audio = np.asarray(corpus.audio[start : start + length] / 32768, np.float32)
        found += _coded(encoder, audio)
    return found


def _coded(encoder: Encoder, audio: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    shape = encoder.shape
    segments = AudioSegments(1, shape.chunk_frames, shape.frame_samples, shape.encode)
    jobs = [*segments.push(audio[None]), *segments.finish(-(-len(audio) // shape.frame_samples))]
    for coded in encoder.start(jobs).results():
        yield coded.indices[0]
