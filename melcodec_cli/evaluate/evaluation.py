"""The run: every clip through every contender, then every metric on what came back."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from melcodec_cli.errors import MelcodecError, UsageProblem
from melcodec_cli.evaluate.clips import Clip, read_original
from melcodec_cli.evaluate.contenders import Coded, Contender
from melcodec_cli.evaluate.delay import aligned, constant_delay, delay_samples
from melcodec_cli.evaluate.metrics import Metric, Score, measure
from melcodec_cli.evaluate.results import ClipResult, ContenderResult, defined
from melcodec_cli.evaluate.speech import RATE_HZ, Speech
from melcodec_cli.evaluate.statistics import Share
from melcodec_cli.evaluate.workers import Map


@dataclass(frozen=True, eq=False)
class Recording:
    """A clip and its speech."""

    clip: Clip
    speech: Speech  # the original, which is measured against
    disturbed: Speech | None = None  # what contenders are given instead, like the clip's file

    @property
    def given(self) -> Speech:
        return self.disturbed or self.speech


@dataclass(frozen=True)
class Heard:
    """How good a contender is, and what it made of the recordings that are to be listened to."""

    result: ContenderResult
    speech: dict[str, Speech]  # by the clip's name, without the contender's delay


@dataclass(frozen=True)
class Listener:
    """Is told how far the work is, and what went wrong without stopping it."""

    advance: Callable[[str], None]
    complain: Callable[[str], None]


def read_recordings(clips: Iterable[Clip], complain: Callable[[str], None]) -> list[Recording]:
    """Read the clips; those that cannot be read or hold nothing are named and left out."""
    recordings = []
    for clip in clips:
        try:
            speech = read_original(clip.path)
        except MelcodecError as error:
            complain(f"left out: {error}")
            continue
        if len(speech.sound):
            recordings.append(Recording(clip, speech))
        else:
            complain(f"left out: {clip.path}: holds no samples")
    if not recordings:
        raise UsageProblem("none of the files can be evaluated")
    return recordings


def evaluate(
    recordings: Sequence[Recording],
    contenders: Iterable[Contender],
    metrics: Sequence[Metric],
    played: Collection[Recording],
    spread: Map,
    listener: Listener,
) -> Iterator[Heard]:
    """Evaluate one contender after the other, without those that could code nothing."""
    for contender in contenders:
        coded = dict(_code(recordings, contender, listener))
        if coded:
            heard = [each for each in recordings if each.clip.name in coded]
            result, speech = _measure(heard, coded, contender, metrics, spread, listener)
            names = [each.clip.name for each in heard if each in played]
            yield Heard(result, {name: speech[name] for name in names})


def _code(
    recordings: Sequence[Recording], contender: Contender, listener: Listener
) -> Iterator[tuple[str, Coded]]:
    for position, recording in enumerate(recordings):
        listener.advance(f"{contender.name}: coding")
        try:
            if position == 0:
                # Once for nothing: what the first call of anything costs is no part of its speed.
                contender.code(recording.clip, recording.given)
            yield recording.clip.name, contender.code(recording.clip, recording.given)
        except MelcodecError as error:
            listener.complain(f"{contender.name} left out {recording.clip.name}: {error}")


def _measure(
    recordings: Sequence[Recording],
    coded: dict[str, Coded],
    contender: Contender,
    metrics: Sequence[Metric],
    spread: Map,
    listener: Listener,
) -> tuple[ContenderResult, dict[str, Speech]]:
    originals = [each.speech for each in recordings]
    decoded = [Speech(coded[each.clip.name].audio, each.speech.rate_hz) for each in recordings]
    delay = constant_delay(
        spread(delay_samples, [each.audio for each in originals], [each.audio for each in decoded])
    )
    pairs = [aligned(*pair, delay) for pair in zip(originals, decoded, strict=True)]
    judged = spread(_judge, *zip(*pairs, strict=True), [metrics] * len(pairs))
    clips = []
    for recording, (original, _), (scores, learnt) in zip(recordings, pairs, judged, strict=True):
        listener.advance(f"{contender.name}: measuring")
        original.remember(learnt)
        found = coded[recording.clip.name]
        clips.append(
            ClipResult(
                recording.clip.name,
                recording.speech.duration_s,
                found.total_bits,
                found.payload_bits,
                found.encode_s,
                found.decode_s,
                {key: defined(score) for key, score in scores.items()},
                {key: score for key, score in scores.items() if isinstance(score, Share)},
            )
        )
    result = ContenderResult(
        contender.name, contender.kind, 1000 * delay / RATE_HZ, clips, contender.describe()
    )
    return result, {each.clip.name: after for each, (_, after) in zip(recordings, pairs, strict=True)}


def _judge(
    original: Speech, decoded: Speech, metrics: Sequence[Metric]
) -> tuple[dict[str, Score], dict[str, Any]]:
    """The scores, and what was learnt of the original: another process would have to find it out again."""
    return measure(original, decoded, metrics), original.learnt


def machine() -> str:
    """What the times were measured on."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
