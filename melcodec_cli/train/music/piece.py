"""Composes pieces: chords in a key, a bass, a melody and drums, for instruments of General MIDI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
}
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (0, 3, 4, 0),
    (5, 3, 0, 4),
    (0, 3, 0, 4),
    (1, 4, 0, 0),
    (0, 6, 5, 4),
    (0, 2, 3, 4),
)
BEATS = 4  # of a bar
DRUMS = -1  # in place of a program
KICK, SNARE, CLAP, CLOSED_HAT, OPEN_HAT, LOW_TOM, HIGH_TOM, CRASH, RIDE = 36, 38, 39, 42, 46, 45, 50, 49, 51
BASSES = tuple(range(32, 40))
# Everything with a pitch but basses, which have their own part, and the sound effects at the end.
LEADS = tuple(program for program in range(112) if program not in BASSES)
KITS = (0, 8, 16, 24, 25, 32, 40, 48)


@dataclass(frozen=True)
class Note:
    start_s: float
    length_s: float
    pitch: int  # as in MIDI; of drums, which one
    velocity: int  # 1..127


@dataclass(frozen=True)
class Part:
    program: int  # of General MIDI, or DRUMS
    kit: int  # of drums
    notes: Sequence[Note]


@dataclass(frozen=True)
class Piece:
    seconds: float
    parts: Sequence[Part]


@dataclass(frozen=True)
class Band:
    """The instruments that may play."""

    basses: Sequence[int] = BASSES
    leads: Sequence[int] = LEADS
    kits: Sequence[int] = KITS


def bands() -> tuple[Band, Band]:
    """One for training and one for measuring, which share no instrument."""

    def kept(programs: Sequence[int], for_dev: bool) -> tuple[int, ...]:
        return tuple(each for place, each in enumerate(programs) if (place % 5 == 4) == for_dev)

    train, dev = (Band(kept(BASSES, each), kept(LEADS, each), kept(KITS, each)) for each in (False, True))
    return train, dev


def composed(seed: Sequence[int], seconds: float, band: Band) -> Piece:
    """A piece; the same seed gives the same one."""
    return _Composer(np.random.default_rng(seed), seconds, band).piece()


class _Composer:
    def __init__(self, chance: np.random.Generator, seconds: float, band: Band) -> None:
        self.chance, self.seconds, self.band = chance, seconds, band
        self.beat_s = 60 / chance.uniform(60, 160)
        self.bars = int(np.ceil(seconds / (BEATS * self.beat_s)))
        self.scale = SCALES[str(chance.choice(list(SCALES)))]
        self.key = int(chance.integers(0, 12))
        turn = PROGRESSIONS[chance.integers(len(PROGRESSIONS))]
        self.chords = [turn[bar % len(turn)] for bar in range(self.bars)]  # degree of each bar's root
        self.swing = float(chance.choice([0.0, 0.0, 0.16]))  # of a beat, by which every second half is late

    def piece(self) -> Piece:
        chance = self.chance
        parts = [self._chords() for _ in range(chance.integers(1, 4))]
        if chance.random() < 0.8:
            parts.append(self._bass())
        parts += [self._melody() for _ in range(chance.integers(1, 3))]
        if chance.random() < 0.6:
            parts.append(self._drums())
        return Piece(self.seconds, [part for part in parts if part.notes])

    def _pitch(self, degree: int, octave: int) -> int:
        return 12 * (octave + 1 + degree // 7) + self.key + self.scale[degree % 7]

    def _notes(self, plan: list[tuple[float, float, int, float]]) -> list[Note]:
        """Notes of (beat, beats, pitch, loudness), played by someone who is not a machine."""
        notes = []
        for beat, beats, pitch, loudness in plan:
            late = self.swing if beat % 1 == 0.5 else 0.0
            start_s = max(0.0, (beat + late) * self.beat_s + self.chance.normal(0, 0.005))
            velocity = int(np.clip(127 * loudness * self.chance.uniform(0.85, 1.1), 1, 127))
            if start_s < self.seconds:
                notes.append(Note(start_s, beats * self.beat_s, pitch, velocity))
        return notes

    def _playing(self) -> list[int]:
        """The bars in which a part plays: it rests now and then for four of them."""
        rests = self.chance.random(1 + self.bars // 4) < 0.25
        return [bar for bar in range(self.bars) if not rests[bar // 4]]

    def _chords(self) -> Part:
        chance, octave = self.chance, int(self.chance.integers(3, 6))
        loudness, sevenths = chance.uniform(0.3, 0.7), chance.random() < 0.3
        style = chance.choice(["held", "struck", "broken"])
        plan = []
        for bar in self._playing():
            degrees = [self.chords[bar] + step for step in ((0, 2, 4, 6) if sevenths else (0, 2, 4))]
            pitches = [self._pitch(degree, octave) for degree in degrees]
            first = float(BEATS * bar)
            if style == "held":
                plan += [(first, BEATS * 0.98, pitch, loudness) for pitch in pitches]
            elif style == "struck":
                plan += [
                    (first + beat, 0.9, pitch, loudness * (1.0 if beat in (0, 2) else 0.8))
                    for beat in range(BEATS)
                    for pitch in pitches
                ]
            else:
                plan += [
                    (first + step / 2, 0.9, pitches[step % len(pitches)], loudness)
                    for step in range(2 * BEATS)
                ]
        return Part(int(chance.choice(self.band.leads)), 0, self._notes(plan))

    def _bass(self) -> Part:
        chance, loudness = self.chance, self.chance.uniform(0.5, 0.9)
        steps = [(0, 2), (0, 1, 2, 3), (0, 1.5, 2, 3.5), (0,)][chance.integers(4)]
        plan = []
        for bar in self._playing():
            for step, following in zip(steps, (*steps[1:], BEATS), strict=True):
                degree = self.chords[bar] + (4 if step and chance.random() < 0.2 else 0)
                plan.append((BEATS * bar + step, 0.9 * (following - step), self._pitch(degree, 1), loudness))
        return Part(int(chance.choice(self.band.basses)), 0, self._notes(plan))

    def _melody(self) -> Part:
        """A walk on the scale, drawn to the chord on every first beat."""
        chance, octave = self.chance, int(self.chance.integers(4, 6))
        loudness, degree = chance.uniform(0.5, 0.95), int(chance.integers(0, 7))
        plan = []
        for bar in self._playing():
            beat = 0.0
            while beat < BEATS:
                beats = float(chance.choice([0.25, 0.5, 0.5, 1.0, 1.0, 2.0]))
                beats = min(beats, BEATS - beat)
                degree = int(np.clip(degree + chance.integers(-2, 3), -3, 11))
                if beat == 0:
                    degree = self.chords[bar] + int(chance.choice([0, 2, 4]))
                if chance.random() < 0.85:
                    plan.append((BEATS * bar + beat, 0.95 * beats, self._pitch(degree, octave), loudness))
                beat += beats
        return Part(int(chance.choice(self.band.leads)), 0, self._notes(plan))

    def _drums(self) -> Part:
        chance, loudness = self.chance, self.chance.uniform(0.4, 0.9)
        kicks = ((1, 0, 0, 0, 1, 0, 0, 0), (1, 0, 0, 1, 0.3, 0, 0.5, 0), (1, 0, 1, 0, 1, 0, 1, 0))
        often = {  # how likely each half of a beat is struck
            KICK: np.array(kicks[chance.integers(len(kicks))]),
            SNARE: np.array([0, 0, 1, 0, 0, 0, 1, 0.15]),
            CLAP: np.array([0, 0, 0.3, 0, 0, 0, 0.3, 0]),
            CLOSED_HAT: np.full(8, chance.uniform(0.3, 1)),
            OPEN_HAT: np.array([0, 0, 0, 0.1, 0, 0, 0, 0.4]),
            RIDE: np.full(8, chance.choice([0, 0, 0.5])),
        }
        plan = []
        for bar in self._playing():
            first = float(BEATS * bar)
            if bar % 4 == 0 and chance.random() < 0.4:
                plan.append((first, 1.0, CRASH, loudness))
            if bar % 4 == 3 and chance.random() < 0.4:
                plan += [(first + 3 + k / 4, 0.3, HIGH_TOM if k < 2 else LOW_TOM, loudness) for k in range(4)]
            for drum, likely in often.items():
                hits = np.flatnonzero(chance.random(8) < likely)
                plan += [(first + step / 2, 0.3, drum, loudness) for step in hits]
        return Part(DRUMS, int(chance.choice(self.band.kits)), self._notes(plan))
