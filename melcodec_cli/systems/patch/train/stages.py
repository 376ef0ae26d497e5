"""How patch is trained: its stages in order, and what each needs from earlier ones."""

from __future__ import annotations

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.patch.config import Profile
from melcodec_cli.systems.patch.tokenizer import Tokenizer
from melcodec_cli.systems.patch.train.tokenizer import TokenizerLosses, TokenizerTask
from melcodec_cli.systems.patch.train.vocoder import VocoderLosses, VocoderTask
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.clustering import with_usage
from melcodec_cli.train.pitch import PitchLosses, PitchTask
from melcodec_cli.train.pitch_labels import labelled_crops, require_world
from melcodec_cli.train.stage import Drawing, Stage, Training


def _profile(training: Training) -> Profile:
    return Profile.from_dict(training.preset.profile)


def _tokenizer(training: Training) -> TokenizerTask:
    return TokenizerTask(_profile(training), training.losses("tokenizer"))


def _pitch(training: Training) -> PitchTask:
    mel = _profile(training).mel
    return PitchTask(mel, _new_pitch(training), training.losses("pitch"), _trained_tokenizer(training))


def _vocoder(training: Training) -> VocoderTask:
    pitch = training.trained(_new_pitch(training), "pitch")
    tokenizer = _trained_tokenizer(training)
    if pitch is None or tokenizer is None:
        missing = "tokenizer" if tokenizer is None else "pitch"
        raise UsageProblem(f"{training.folder}: the vocoder needs the stage {missing}: train it first")
    return VocoderTask(_profile(training), training.losses("vocoder"), pitch, tokenizer)


def _new_pitch(training: Training) -> Pitch:
    profile = _profile(training)
    return Pitch(profile.mel.bands, profile.pitch, causal=True)


def _trained_tokenizer(training: Training) -> Tokenizer | None:
    profile = _profile(training)
    return training.trained(Tokenizer(profile.mel.bands, profile.tokenizer), "tokenizer")


def _labelled(drawing: Drawing) -> tuple[Source, Crops]:
    profile = Profile.from_dict(drawing.preset.profile)
    return labelled_crops(drawing, profile.mel, profile.pitch)


STAGES = (
    Stage("tokenizer", _tokenizer, TokenizerLosses, completed=with_usage),
    Stage("pitch", _pitch, PitchLosses, draws=_labelled, check=require_world),
    Stage("vocoder", _vocoder, VocoderLosses),
)
