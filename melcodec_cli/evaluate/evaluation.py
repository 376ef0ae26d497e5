"""The run: every clip through every system, then every metric on what came back."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from melcodec_cli.errors import MelcodecError, UsageProblem
from melcodec_cli.evaluate.clips import Clip, read_speech
from melcodec_cli.evaluate.delay import aligned, constant_delay, delay_samples
from melcodec_cli.evaluate.metrics import Metric, measure_speech
from melcodec_cli.evaluate.results import ClipResult, SystemResult, defined
from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech
from melcodec_cli.evaluate.systems import Coded, System


@dataclass(frozen=True, eq=False)
class Recording:
    """A clip and its speech at 16 kHz."""

    clip: Clip
    speech: Speech

    @property
    def duration_s(self) -> float:
        return len(self.speech.audio) / RATE_HZ


@dataclass(frozen=True)
class Heard:
    """How good a system is, and what it made of the recordings that are to be listened to."""

    result: SystemResult
    audio: dict[str, Audio]  # by the clip's name, without the system's delay


@dataclass(frozen=True)
class Listener:
    """Is told how far the work is, and what went wrong without stopping it."""

    advance: Callable[[str], None]
    complain: Callable[[str], None]


def read_recordings(clips: Iterable[Clip], complain: Callable[[str], None]) -> list[Recording]:
    """Those that can be read and hold anything; the others are named."""
    recordings = []
    for clip in clips:
        try:
            audio = read_speech(clip.path)
        except MelcodecError as error:
            complain(f"left out: {error}")
            continue
        if len(audio):
            recordings.append(Recording(clip, Speech(audio)))
        else:
            complain(f"left out: {clip.path}: holds no samples")
    if not recordings:
        raise UsageProblem("none of the files can be evaluated")
    return recordings


def evaluate(
    recordings: Sequence[Recording],
    systems: Iterable[System],
    metrics: Sequence[Metric],
    played: Collection[Recording],
    listener: Listener,
) -> Iterator[Heard]:
    """One system after the other; those that could code nothing are passed over."""
    for system in systems:
        coded = dict(_code(recordings, system, listener))
        if coded:
            heard = [each for each in recordings if each.clip.name in coded]
            result, audio = _measure(heard, coded, system, metrics, listener)
            yield Heard(result, {each.clip.name: audio[each.clip.name] for each in heard if each in played})


def _code(recordings: Sequence[Recording], system: System, listener: Listener) -> Iterator[tuple[str, Coded]]:
    for position, recording in enumerate(recordings):
        listener.advance(f"{system.name}: coding")
        try:
            if position == 0:
                # Once for nothing: what the first call of anything costs is no part of its speed.
                system.code(recording.clip, recording.speech.audio)
            yield recording.clip.name, system.code(recording.clip, recording.speech.audio)
        except MelcodecError as error:
            listener.complain(f"{system.name} left out {recording.clip.name}: {error}")


def _measure(
    recordings: Sequence[Recording],
    coded: dict[str, Coded],
    system: System,
    metrics: Sequence[Metric],
    listener: Listener,
) -> tuple[SystemResult, dict[str, Audio]]:
    delay = constant_delay(
        delay_samples(each.speech.audio, coded[each.clip.name].audio) for each in recordings
    )
    audio, clips = {}, []
    for recording in recordings:
        listener.advance(f"{system.name}: measuring")
        name, found = recording.clip.name, coded[recording.clip.name]
        before, after = aligned(recording.speech.audio, found.audio, delay)
        # The recording's own Speech, where nothing is cut from it, remembers what it took to compute.
        reference = Speech(before) if delay < 0 else recording.speech
        scores = measure_speech(reference, Speech(after), metrics)
        audio[name] = after
        clips.append(
            ClipResult(
                name,
                recording.duration_s,
                found.total_bits,
                found.payload_bits,
                found.encode_s,
                found.decode_s,
                {key: defined(score) for key, score in scores.items()},
            )
        )
    about = system.describe()
    return SystemResult(system.name, system.kind, 1000 * delay / RATE_HZ, clips, about), audio


def machine() -> str:
    """What the times were measured on."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
