"""How patch is trained: its stages in order, and what each needs from earlier ones."""

from __future__ import annotations

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.layers.tokenizer import Tokenizer, patch_tokenizer
from melcodec_cli.systems.patch.config import Profile
from melcodec_cli.systems.patch.train.vocoder import VocoderLosses, VocoderTask
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.clustering import with_usage
from melcodec_cli.train.pitch import PitchLosses, PitchTask
from melcodec_cli.train.pitch_labels import labelled_crops, require_world
from melcodec_cli.train.stage import Drawing, Stage, Training
from melcodec_cli.train.tokenizer import TokenizerLosses, TokenizerTask


def _profile(training: Training) -> Profile:
    return Profile.from_dict(training.preset.profile)


def _tokenizer(training: Training) -> TokenizerTask:
    profile = _profile(training)
    return TokenizerTask(profile.mel, _new_tokenizer(profile), training.losses("tokenizer"))


def _pitch(training: Training) -> PitchTask:
    mel = _profile(training).mel
    return PitchTask(mel, _new_pitch(training), training.losses("pitch"), _trained_tokenizer(training))


def _vocoder(training: Training) -> VocoderTask:
    profile, tokenizer, pitch = _profile(training), _trained_tokenizer(training), None
    if tokenizer is None:
        raise UsageProblem(f"{training.folder}: the vocoder hears coded mels: train the tokenizer first")
    if profile.vocoder.name == "harmonic":
        pitch = training.trained(_new_pitch(training), "pitch")
        if pitch is None:
            raise UsageProblem(f"{training.folder}: the vocoder hears a pitch: train the stage pitch first")
    return VocoderTask(profile, training.losses("vocoder"), tokenizer, pitch)


def _new_pitch(training: Training) -> Pitch:
    profile = _profile(training)
    return Pitch(profile.mel.bands, profile.pitch, causal=True)


def _trained_tokenizer(training: Training) -> Tokenizer | None:
    return training.trained(_new_tokenizer(_profile(training)), "tokenizer")


def _new_tokenizer(profile: Profile) -> Tokenizer:
    return patch_tokenizer(profile.mel.bands, profile.tokenizer)


def _labelled(drawing: Drawing) -> tuple[Source, Crops]:
    profile = Profile.from_dict(drawing.preset.profile)
    return labelled_crops(drawing, profile.mel, profile.pitch)


def stages_of(profile: Profile) -> list[Stage]:
    tokenizer = Stage("tokenizer", _tokenizer, TokenizerLosses, completed=with_usage)
    pitch = Stage("pitch", _pitch, PitchLosses, draws=_labelled, check=require_world)
    vocoder = Stage("vocoder", _vocoder, VocoderLosses)
    return [tokenizer, pitch, vocoder] if profile.vocoder.name == "harmonic" else [tokenizer, vocoder]
