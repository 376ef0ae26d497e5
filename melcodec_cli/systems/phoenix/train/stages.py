"""How phoenix is trained: all of it as one stage."""

from __future__ import annotations

from collections.abc import Sequence

from melcodec_cli.systems.phoenix.config import Profile
from melcodec_cli.systems.phoenix.train.codec import CodecLosses, CodecTask
from melcodec_cli.train.stage import Stage, Training, Weights


def stages_of(profile: Profile) -> Sequence[Stage]:
    return [Stage("codec", _codec, CodecLosses, completed=_with_usage)]


def _codec(training: Training) -> CodecTask:
    profile = Profile.from_dict(training.preset.profile_in_training)
    return CodecTask(profile, training.losses("codec"))


def _with_usage(weights: Weights) -> Weights:
    """Add the usage of codewords, which a bundle lacks: if it were 0, clustering would move half of them."""
    codebooks = weights["quantiser.codebooks"]
    even = codebooks.new_full(codebooks.shape[:2], 1 / codebooks.shape[1])
    return {"quantiser.usage": even, **weights}
