"""How meltok is trained: its stages in order, and what each needs from earlier ones."""

from __future__ import annotations

from melcodec_cli.errors import UsageProblem
from melcodec_cli.systems.meltok.config import Profile
from melcodec_cli.systems.meltok.meltok import tokenizer_for
from melcodec_cli.systems.meltok.train.vocoder import VocoderLosses, VocoderTask
from melcodec_cli.train.clustering import with_usage
from melcodec_cli.train.stage import Stage, Training
from melcodec_cli.train.tokenizer import TokenizerLosses, TokenizerTask


def _profile(training: Training) -> Profile:
    return Profile.from_dict(training.preset.profile)


def _tokenizer(training: Training) -> TokenizerTask:
    profile = _profile(training)
    return TokenizerTask(profile.mel, tokenizer_for(profile), training.losses("tokenizer"))


def _vocoder(training: Training) -> VocoderTask:
    profile = _profile(training)
    tokenizer = training.trained(tokenizer_for(profile), "tokenizer")
    if tokenizer is None:
        raise UsageProblem(f"{training.folder}: the vocoder hears what was coded: train the tokenizer first")
    return VocoderTask(profile, training.losses("vocoder"), tokenizer)


def stages_of(profile: Profile) -> list[Stage]:
    return [
        Stage("tokenizer", _tokenizer, TokenizerLosses, completed=with_usage),
        Stage("vocoder", _vocoder, VocoderLosses),
    ]
