"""What a recogniser of speech understands of decoded speech, held against what it understands of the original.

Nobody has to have written down what is said, and what the recogniser never understands counts against nobody:
hence the asterisk in WER* and PER*. Errors are added up over all clips before they are divided, as is usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech
from melcodec_cli.evaluate.statistics import Share

# Of states alive in a frame: a tenth of the package's own limit saves a quarter of the time and hardly a word.
MOST_STATES = 3000


def words(audio: Audio) -> list[str]:
    """By the English dictionary and language model of the package."""
    return [word.partition("(")[0] for word in _heard(_word_recogniser(), audio) if word[0] not in "<[+"]


def phones(audio: Audio) -> list[str]:
    """By a model of which phones follow each other in English, and without a dictionary."""
    return [phone for phone in _heard(_phone_recogniser(), audio) if phone != "SIL" and phone[0] not in "<[+"]


def word_errors(reference: Speech, decoded: Speech) -> Share:
    expected = reference.learn(words)
    return Share(edit_distance(expected, decoded.learn(words)), len(expected))


def phone_errors(reference: Speech, decoded: Speech) -> Share:
    expected = reference.learn(phones)
    return Share(edit_distance(expected, decoded.learn(phones)), len(expected))


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that make one of the other."""
    row = list(range(len(second) + 1))
    for count, one in enumerate(first, 1):
        above, row = row, [count]
        for place, other in enumerate(second, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (one != other)))
    return row[-1]


def _heard(recogniser: Any, audio: Audio) -> list[str]:
    samples = np.round(np.clip(audio, -1, 1) * 32767).astype("<i2")
    if not samples.any():
        return []
    recogniser.reinit_feat()  # which forgets the clip before: else a result would hang on the order of clips
    recogniser.start_utt()
    recogniser.process_raw(samples.tobytes(), full_utt=True)
    recogniser.end_utt()
    return [segment.word for segment in recogniser.seg() or ()]


@cache
def _word_recogniser() -> Any:
    import pocketsphinx

    return pocketsphinx.Decoder(samprate=RATE_HZ, cmn="batch", maxhmmpf=MOST_STATES, loglevel="FATAL")


@cache
def _phone_recogniser() -> Any:
    import pocketsphinx

    model = pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin")
    return pocketsphinx.Decoder(samprate=RATE_HZ, cmn="batch", lm=None, allphone=model, loglevel="FATAL")
