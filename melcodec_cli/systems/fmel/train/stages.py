"""How fmel is trained: its stages in order, and what each needs from earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from melcodec_cli.errors import UsageProblem
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.fmel.coder import Coder
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.phones import PhoneListener
from melcodec_cli.systems.fmel.refiner import FlowRefiner
from melcodec_cli.systems.fmel.train.coder import CoderLosses, CoderTask
from melcodec_cli.systems.fmel.train.phones import PhonesTask, spoken_crops
from melcodec_cli.systems.fmel.train.refiner import RefinerLosses, RefinerTask
from melcodec_cli.systems.fmel.train.vocoder import VocoderLosses, VocoderTask
from melcodec_cli.train.ahead import Source
from melcodec_cli.train.alignment import require_transcripts
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.clustering import with_usage
from melcodec_cli.train.pitch import PitchLosses, PitchTask
from melcodec_cli.train.pitch_labels import labelled_crops, require_world
from melcodec_cli.train.stage import Drawing, Stage, Training


def stages_of(profile: Profile) -> Sequence[Stage]:
    """The stages of the profile's parts; the listener comes first, as it judges the coder."""
    parts = {
        "phones": Stage("phones", _phones, draws=_spoken, check=require_transcripts),
        "coder": Stage("coder", _coder, CoderLosses, completed=with_usage),
        "pitch": Stage("pitch", _pitch, PitchLosses, draws=_labelled, check=require_world),
        "refiner": Stage("refiner", _refiner, RefinerLosses),
        "vocoder": Stage("vocoder", _vocoder, VocoderLosses, along={"decoder": "coder.decoder"}),
    }
    return [stage for name, stage in parts.items() if getattr(profile, name)]


def _profile(training: Training) -> Profile:
    return Profile.from_dict(training.preset.profile)


def _phones(training: Training) -> PhonesTask:
    listener = _new_listener(training)
    assert listener is not None
    return PhonesTask(_profile(training).mel, listener)


def _coder(training: Training, **other: float) -> CoderTask:
    """other: losses in place of the preset's."""
    profile, losses = _profile(training), replace(training.losses("coder"), **other)
    listener = _new_listener(training)
    if listener is not None:
        listener = training.trained(listener, "phones")
    return CoderTask(profile, losses, _trained_pitch(training), listener)


def _new_listener(training: Training) -> PhoneListener | None:
    profile = _profile(training)
    return PhoneListener(profile.mel.bands, profile.phones) if profile.phones else None


def _pitch(training: Training) -> PitchTask:
    profile = _profile(training)
    assert profile.pitch is not None
    stage = Pitch(profile.mel.bands, profile.pitch)
    return PitchTask(profile.mel, stage, training.losses("pitch"), _trained_coder(training))


def _refiner(training: Training) -> RefinerTask:
    coder = _trained_coder(training)
    if coder is None:
        raise UsageProblem(f"{training.folder}: the refiner is trained on coded mels: train the coder first")
    return RefinerTask(_profile(training), training.losses("refiner"), coder)


def _vocoder(training: Training) -> VocoderTask:
    profile, pitch = _profile(training), _trained_pitch(training)
    if profile.vocoder.name == "harmonic" and pitch is None:
        raise UsageProblem(
            f"{training.folder}: the harmonic vocoder is trained on predicted pitch: train the pitch stage first"
        )
    refiner = None
    if profile.refiner:
        refiner = training.trained(FlowRefiner(profile.mel.bands, profile.refiner), "refiner")
    losses, coder, coding = training.losses("vocoder"), _trained_coder(training), None
    if losses.together:
        if coder is None:
            raise UsageProblem(f"{training.folder}: losses.together needs the coder: train it first")
        coding = _coder(training, adversary=0.0)
        coding.stage.load_state_dict(coder.state_dict())
    return VocoderTask(profile, losses, pitch, coder, refiner, coding)


def _trained_pitch(training: Training) -> Pitch | None:
    profile = _profile(training)
    return training.trained(Pitch(profile.mel.bands, profile.pitch), "pitch") if profile.pitch else None


def _trained_coder(training: Training) -> Coder | None:
    profile = _profile(training)
    return training.trained(Coder(profile.mel, profile.coder, profile.timbre), "coder")


def _spoken(drawing: Drawing) -> tuple[Source, Crops]:
    return spoken_crops(drawing, Profile.from_dict(drawing.preset.profile).mel)


def _labelled(drawing: Drawing) -> tuple[Source, Crops]:
    profile = Profile.from_dict(drawing.preset.profile)
    assert profile.pitch is not None
    return labelled_crops(drawing, profile.mel, profile.pitch)
