"""Phones of transcribed English clips, aligned by PocketSphinx once for each corpus.

First the recogniser chooses how each word is pronounced and finds it, then each phone of that.  With the phones as
words of their own, nearly every clip is aligned; the package's own alignment of states gives up on one in four.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.errors import UsageProblem
from melcodec_cli.files.atomic import output_file
from melcodec_cli.report.console import say_plainly
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.folders import Clip, index_folders

STEP_S = 0.01  # from one label to the next
RATE_HZ = 16000  # of the recogniser
SILENCE, UNKNOWN = 0, -1
ARPABET = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
)
PHONES = ("SIL", *ARPABET.split())
VERSION = 1  # of what is kept beside a corpus


@dataclass(frozen=True)
class Alignment:
    """The phone in each step of every clip that was aligned."""

    labels: NDArray[np.int8]  # of all clips, one after the other
    offsets: NDArray[np.int64]  # of each clip's first label
    counts: NDArray[np.int64]  # of each clip's labels, 0 if it was not aligned

    def at(self, corpus: Corpus, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The phones at these places of the corpus, UNKNOWN where no clip was aligned."""
        row = np.searchsorted(corpus.starts, samples, side="right") - 1
        step = (samples - corpus.starts[row]) // round(STEP_S * corpus.rate_hz)
        known = step < self.counts[row]
        place = np.where(known, self.offsets[row] + step, 0)
        labels = self.labels[place] if len(self.labels) else place
        return np.where(known, labels, UNKNOWN).astype(np.int64)


def open_alignment(corpus: Corpus) -> Alignment:
    """Align the corpus, or open what an earlier call left beside it; how much of it was aligned is printed."""
    rows = [
        row
        for row, clip in enumerate(corpus.clips)
        if clip.speed == 1 and spoken_words(clip.text, clip.language)
    ]
    key = hashlib.sha256(f"{VERSION}".encode())
    for row in rows:
        key.update(f"{row} {corpus.clips[row].text}\n".encode(errors="surrogateescape"))
    path = corpus.home and corpus.home / f"phones-{key.hexdigest()[:16]}.npz"
    if path is not None and path.is_file():
        with np.load(path) as kept:
            return Alignment(kept["labels"], kept["offsets"], kept["counts"])
    alignment = _aligned(corpus, rows)
    if path is not None:
        with output_file(path, force=True) as file:
            np.savez(file, labels=alignment.labels, offsets=alignment.offsets, counts=alignment.counts)
    return alignment


def require_transcripts(folders: list[Path]) -> None:
    """Raise UsageProblem early if no clip can be aligned, or nothing that does it."""
    try:
        import pocketsphinx  # noqa: F401
    except ImportError as error:
        raise UsageProblem(
            f"training the phones stage needs the extra: pip install 'melcodec[train]' ({error})"
        ) from None
    if not any(spoken_words(clip.text, clip.language) for clip in index_folders(folders)):
        raise UsageProblem(
            "training the phones stage needs English transcripts, but no manifest.csv has a column text with any"
        )


def spoken_words(text: str, language: str) -> list[str]:
    """The words of an English transcript; none if it has digits, since how they were read is unknown."""
    if not text or not (language or "en").lower().startswith("en") or re.search(r"\d", text):
        return []
    plain = text.lower().replace("’", "'")
    return re.findall(r"[a-z]+(?:'[a-z]+)*", plain)


def _aligned(corpus: Corpus, rows: list[int]) -> Alignment:
    from tqdm import tqdm

    counts = np.zeros(len(corpus.clips), np.int64)
    found: dict[int, NDArray[np.int8]] = {}
    failures: Counter[str] = Counter()
    with ProcessPoolExecutor() as pool:
        audio = (_samples(corpus, row) for row in rows)
        jobs = pool.map(_align, audio, (corpus.clips[row] for row in rows), chunksize=8)
        for row, labels in zip(rows, tqdm(jobs, "aligning", len(rows), file=sys.stderr), strict=True):
            if isinstance(labels, str):
                failures[labels] += 1
            else:
                found[row] = labels
                counts[row] = len(labels)
    whole_s = sum(int(corpus.lengths[row]) for row in rows) / corpus.rate_hz
    done_s = counts.sum() * STEP_S
    why = "".join(f", {count} clips with {reason}" for reason, count in failures.most_common())
    share = done_s / max(whole_s, 1e-9)
    hours = f"{done_s / 3600:.2f} of {whole_s / 3600:.2f} h"
    say_plainly(f"phones: {hours} of transcribed English aligned ({share:.0%}){why}")
    offsets = np.cumsum(counts) - counts
    labels = np.concatenate([found[row] for row in sorted(found)]) if found else np.zeros(0, np.int8)
    return Alignment(labels, offsets, counts)


def _samples(corpus: Corpus, row: int) -> NDArray[np.int16]:
    from melcodec_cli.audio.resample import resampled

    samples = corpus.audio[corpus.starts[row] : corpus.starts[row] + corpus.lengths[row]]
    if corpus.rate_hz == RATE_HZ:
        return np.array(samples)
    slower = resampled(samples[:, None].astype(np.float32), corpus.rate_hz, RATE_HZ)[:, 0]
    return np.clip(np.rint(slower), -32768, 32767).astype(np.int16)


def _align(samples: NDArray[np.int16], clip: Clip) -> NDArray[np.int8] | str:
    """A label for each step, or the reason why there are none."""
    words, phones = _recogniser(None), _recogniser(_phones_as_words())
    said = spoken_words(clip.text, clip.language)
    if any(words.lookup_word(word) is None for word in said):
        return "a word that is not in the dictionary"
    chosen = _segments(words, " ".join(said), samples)
    if chosen is None:
        return "words that were not found"
    spelled = " ".join(words.lookup_word(word) for word, _, _ in chosen if word[0] not in "<[+")
    segments = _segments(phones, spelled, samples)
    if segments is None:
        return "phones that were not found"
    labels = np.zeros(round(len(samples) / RATE_HZ / STEP_S), np.int8)
    for phone, first, last in segments:
        labels[first : last + 1] = PHONES.index(phone) if phone in PHONES else SILENCE
    return labels


def _segments(recogniser: Any, text: str, samples: NDArray[np.int16]) -> list[tuple[str, int, int]] | None:
    """Where each word of the text was found, with its first and last step."""
    try:
        recogniser.set_align_text(text)
        recogniser.reinit_feat()  # which forgets the clip before
        recogniser.start_utt()
        recogniser.process_raw(samples.astype("<i2").tobytes(), full_utt=True)
        recogniser.end_utt()
    except RuntimeError:
        _recogniser.cache_clear()  # it may be in the middle of something
        return None
    if recogniser.hyp() is None:
        return None
    return [(each.word, each.start_frame, each.end_frame) for each in recogniser.seg()]


@cache
def _recogniser(dictionary: str | None) -> Any:
    """One that aligns text, with the package's English dictionary or another."""
    import pocketsphinx

    options = {} if dictionary is None else {"dict": dictionary}
    return pocketsphinx.Decoder(samprate=RATE_HZ, cmn="batch", lm=None, loglevel="FATAL", **options)


@cache
def _phones_as_words() -> str:
    """A file with a dictionary in which each phone is a word."""
    with tempfile.NamedTemporaryFile("w", suffix=".dict", delete=False) as file:
        file.write("".join(f"{phone} {phone}\n" for phone in PHONES[1:]))
    return file.name
