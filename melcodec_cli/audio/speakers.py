"""Which speaker each channel of a recording is for, and how several channels are mixed down to one."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Literal

import numpy as np

from melcodec_cli.audio.pcm import Samples

Speaker = Literal["centre", "front", "surround", "LFE"]
F: Speaker = "front"
C: Speaker = "centre"
S: Speaker = "surround"
L: Speaker = "LFE"

# As ITU-R BS.775 mixes surround sound to stereo, and the mean of that: two front channels are mixed as plain stereo is,
# and a voice in the centre alone is 3 dB down. Low-frequency effects are no speech and are left out.
WEIGHTS: dict[Speaker, float] = {"centre": sqrt(0.5), "front": 0.5, "surround": sqrt(0.125), "LFE": 0.0}
KNEE = sqrt(0.5)  # what is louder is compressed, so that the sum of all channels stays below full scale

# For the bits of a WAV file's channel mask, from the lowest: front left, right, centre, LFE, back left and right, left
# and right of the centre, back centre, sides; all above are on the ceiling.
MASK: tuple[Speaker, ...] = (F, F, C, L, S, S, F, F, S, S, S, *[S] * 7)
# By the number of channels, in the order of WAV and FLAC files, and of Vorbis and Opus.
USUAL: dict[int, tuple[Speaker, ...]] = {
    1: (C,),
    2: (F, F),
    3: (F, F, C),
    4: (F, F, S, S),
    5: (F, F, C, S, S),
    6: (F, F, C, L, S, S),
    7: (F, F, C, L, S, S, S),
    8: (F, F, C, L, S, S, S, S),
}
OGG: dict[int, tuple[Speaker, ...]] = USUAL | {
    3: (F, C, F),
    5: (F, C, F, S, S),
    6: (F, C, F, S, S, L),
    7: (F, C, F, S, S, S, L),
    8: (F, C, F, S, S, S, S, L),
}
NOWHERE: tuple[Speaker, ...] = ()  # the recording says that its channels are for no speakers


def speakers_of_mask(mask: int, channels: int) -> tuple[Speaker, ...]:
    """What a WAV file's channel mask says; the usual order where the mask does not fit the number of channels."""
    named = tuple(speaker for bit, speaker in enumerate(MASK) if mask >> bit & 1)
    if not mask:
        return NOWHERE
    return named if len(named) == channels else USUAL.get(channels, NOWHERE)


def mix_down(block: Samples, speakers: Sequence[Speaker] | None = None) -> Samples:
    """(frame, channel) to (frame, 1); the channels are for these speakers, by default in the usual order.

    One or two channels, and those for no speakers, become their mean, which cannot clip if no channel did. Otherwise
    each has the weight of its speaker. Every sample comes out of its own frame alone, to the last bit.
    """
    channels = block.shape[1]
    if channels == 1:
        return block
    if speakers is None:
        speakers = USUAL.get(channels, NOWHERE)
    if channels == 2 or not speakers:
        return block.mean(axis=1, keepdims=True, dtype=np.float32)
    mixed = np.zeros((len(block), 1), np.float32)
    for channel, speaker in enumerate(speakers):
        mixed[:, 0] += np.float32(WEIGHTS[speaker]) * block[:, channel]
    return _compressed(mixed)


def how_mixed(channels: int, speakers: Sequence[Speaker]) -> str:
    """What `mix_down` makes of so many channels, in words."""
    if channels == 2:
        return "2 channels are mixed down to one"
    if not speakers:
        return f"{channels} channels for no particular speakers are mixed down to their mean"
    weights = [
        f"{speaker} {WEIGHTS[speaker]:.2f}" for speaker in WEIGHTS if speaker in speakers and speaker != L
    ]
    left_out = ", LFE left out" if L in speakers else ""
    return f"{channels} channels are mixed down to one ({', '.join(weights)}{left_out})"


def _compressed(samples: Samples) -> Samples:
    """The same up to the knee; beyond it, ever closer to full scale. Only arithmetic that rounds alike everywhere."""
    knee, room = np.float32(KNEE), np.float32(1 - KNEE)
    size = np.abs(samples)
    if not (size > knee).any():
        return samples
    over = np.maximum(size - knee, 0) / room
    return np.where(size > knee, np.copysign(knee + room * over / (1 + over), samples), samples)
