"""How phoenix is trained: all of it as one stage."""

from __future__ import annotations

from collections.abc import Sequence

from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.systems.phoenix.config import HIGH_HZ, Profile
from melcodec_cli.systems.phoenix.train.codec import CodecLosses, CodecTask
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.pitch_labels import labelled_crops, require_world
from melcodec_cli.train.stage import Drawing, Stage, Training, Weights


def stages_of(profile: Profile) -> Sequence[Stage]:
    if profile.decoder == "harmonic":
        return [Stage("codec", _codec, CodecLosses, _labelled, require_world, _with_usage)]
    return [Stage("codec", _codec, CodecLosses, completed=_with_usage)]


def _codec(training: Training) -> CodecTask:
    profile = Profile.from_dict(training.preset.profile_in_training)
    return CodecTask(profile, training.losses("codec"))


def _labelled(drawing: Drawing) -> tuple[Source, Crops]:
    """Crops with the pitch at the centre of the windows, which end with their frames."""
    profile = Profile.from_dict(drawing.preset.profile_in_training)
    window, hop = profile.window_samples, profile.hop_samples
    mel = MelConfig(profile.rate_hz, window, window, hop, 80, 0.0, HIGH_HZ)
    return labelled_crops(drawing, mel, profile.pitch, (window - hop) // 2)


def _with_usage(weights: Weights) -> Weights:
    """Add the usage of codewords, which a bundle lacks: if it were 0, clustering would move half of them."""
    codebooks = weights["quantiser.codebooks"]
    even = codebooks.new_full(codebooks.shape[:2], 1 / codebooks.shape[1])
    return {"quantiser.usage": even, **weights}
