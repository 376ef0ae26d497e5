"""How long a live pipe waits for a chunk, from a model's profile alone: torch is not needed to say it.

A chunk leaves when its own audio, or its own tokens, and the look-ahead behind it have arrived. The look-ahead is the
reach of the model's layers, which the chain knows from the layers themselves; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from melcodec_cli.systems.fmel.config import Profile, ProfileError

BLOCK_REACH = 3  # of a kernel of 7
HIFIGAN_BRANCH_REACH = 60  # of the widest branch: kernels of 11, with dilations of 1, 3 and 5 and without


@dataclass(frozen=True)
class Latency:
    """Of audio that must have gone in, counted from a chunk's beginning, before it comes out.

    What computing takes comes on top. The field names are keys of `info --json`.
    """

    compress_s: float
    decompress_s: float  # of coded audio


def latency(profile_values: dict[str, Any], chunk_tokens: int) -> Latency | None:
    """None for a profile that this release cannot read."""
    try:
        profile = Profile.from_dict(profile_values)
    except ProfileError:
        return None
    # A decoder's look-ahead comes in whole chunks, too.
    chunks_ahead = -(-decode_reach_tokens(profile) // chunk_tokens)
    return Latency(
        (chunk_tokens + encode_reach_tokens(profile)) / profile.tokens_per_second,
        (1 + chunks_ahead) * chunk_tokens / profile.tokens_per_second,
    )


def encode_reach_tokens(profile: Profile) -> int:
    coder = profile.coder
    frames = BLOCK_REACH * (coder.encoder_frame_blocks + 1) if coder.encoder_frame_blocks else 0
    halves = BLOCK_REACH * coder.encoder_half_blocks + 2
    window = 1
    return BLOCK_REACH * coder.encoder_token_blocks + -(-(2 * halves + 4 + frames) // 4) + window


def decode_reach_tokens(profile: Profile) -> int:
    """With the profile's own number of refiner steps."""
    coder = profile.coder
    frames = vocoder_reach_frames(profile)
    if profile.pitch:
        frames += 2 + BLOCK_REACH * profile.pitch.blocks
    frames = -(-frames // profile.vocoder.hop_frames) * profile.vocoder.hop_frames
    if profile.refiner:
        frames += profile.refiner.steps * (1 + BLOCK_REACH * sum(profile.refiner.dilations))
    upsampling_frames = BLOCK_REACH * (coder.decoder_frame_blocks + 2 * coder.decoder_half_blocks)
    tokens = 1 + BLOCK_REACH * coder.decoder_token_blocks + -(-upsampling_frames // 4)
    return -(-frames // coder.token_frames) + tokens


def vocoder_reach_frames(profile: Profile) -> int:
    vocoder = profile.vocoder
    if vocoder.name == "harmonic":
        hop = vocoder.hop_frames
        reach = BLOCK_REACH * vocoder.blocks + vocoder.fft_samples // (hop * profile.mel.hop_samples) + 1
        return 3 + reach * hop
    frames, samples_per_frame = 3.0, 1
    for stride, kernel in zip(vocoder.upsample_strides, vocoder.upsample_kernels, strict=True):
        samples_per_frame *= stride
        frames += (kernel + HIFIGAN_BRANCH_REACH) / samples_per_frame
    return int(frames) + 2
