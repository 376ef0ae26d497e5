"""Assigns a recording's channels to speakers, and mixes them down to one."""

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

# ITU-R BS.775's mix of surround sound to stereo, then the mean of the two: the front channels are mixed like plain
# stereo, and a voice in the centre alone is 3 dB down. Low-frequency effects are not speech and are left out.
WEIGHTS: dict[Speaker, float] = {"centre": sqrt(0.5), "front": 0.5, "surround": sqrt(0.125), "LFE": 0.0}
KNEE = sqrt(0.5)  # anything louder is compressed, so that the sum of all channels stays below full scale

# The bits of a WAV file's channel mask, from the lowest: front left, right, centre, LFE, back left and right, left and
# right of the centre, back centre, sides; all higher bits are ceiling speakers.
MASK: tuple[Speaker, ...] = (F, F, C, L, S, S, F, F, S, S, S, *[S] * 7)
# By number of channels, in the order of WAV and FLAC files; OGG in that of Vorbis and Opus.
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
NOWHERE: tuple[Speaker, ...] = ()  # the recording says that its channels belong to no speakers


def speakers_of_mask(mask: int, channels: int) -> tuple[Speaker, ...]:
    """The speakers in a WAV file's channel mask; the usual order if the mask does not fit the number of channels."""
    named = tuple(speaker for bit, speaker in enumerate(MASK) if mask >> bit & 1)
    if not mask:
        return NOWHERE
    return named if len(named) == channels else USUAL.get(channels, NOWHERE)


def mix_down(block: Samples, speakers: Sequence[Speaker] | None = None) -> Samples:
    """Mix (frame, channel) down to (frame, 1); `speakers` are those of the channels, by default in the usual order.

    One or two channels, and channels of no speakers, become their mean, which cannot clip if no channel did. Otherwise
    each channel has its speaker's weight. Every sample depends on its own frame alone, bit for bit.
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
    """A description of what `mix_down` does with these channels."""
    if channels == 2:
        return "2 channels are mixed down to one"
    if not speakers:
        return f"{channels} channels without speaker positions are mixed down to their mean"
    weights = [
        f"{speaker} {WEIGHTS[speaker]:.2f}" for speaker in WEIGHTS if speaker in speakers and speaker != L
    ]
    left_out = ", LFE left out" if L in speakers else ""
    return f"{channels} channels are mixed down to one ({', '.join(weights)}{left_out})"


def _compressed(samples: Samples) -> Samples:
    """Compress what is above the knee towards full scale, with arithmetic that rounds the same on every machine."""
    knee, room = np.float32(KNEE), np.float32(1 - KNEE)
    size = np.abs(samples)
    if not (size > knee).any():
        return samples
    over = np.maximum(size - knee, 0) / room
    return np.where(size > knee, np.copysign(knee + room * over / (1 + over), samples), samples)
