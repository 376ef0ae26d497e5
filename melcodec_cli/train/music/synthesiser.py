"""A simple synthesiser: plucked strings, sums of partials, and drums of noise, with a little room around them.

It is no rival of sampled instruments, but needs nothing: its pieces have attacks, chords, decays and noise in the full
band.  Each program of General MIDI has a timbre of its own, drawn once and for all.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.train.music.piece import (
    CLAP,
    CLOSED_HAT,
    CRASH,
    DRUMS,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    OPEN_HAT,
    RIDE,
    SNARE,
    Note,
    Part,
    Piece,
)

RATE_HZ = 44100
PEAK = 0.8
RELEASE_S = 0.15
MOST_PARTIALS = 60
FAINT = 1e-3  # amplitude of a partial that is left out
PLUCKED = range(24, 40)  # guitars and basses
STRUCK = range(0, 16)  # pianos and bells
Sound = NDArray[np.float64]

# Of each drum: seconds until it has fallen by 60 dB, the lowest frequency of its noise, its pitch, share of the noise.
DRUM_SOUNDS = {
    KICK: (0.4, 20.0, 55.0, 0.1),
    SNARE: (0.3, 800.0, 190.0, 0.7),
    CLAP: (0.25, 1000.0, 0.0, 1.0),
    CLOSED_HAT: (0.1, 7000.0, 0.0, 1.0),
    OPEN_HAT: (0.6, 6000.0, 0.0, 1.0),
    LOW_TOM: (0.5, 100.0, 110.0, 0.2),
    HIGH_TOM: (0.4, 150.0, 180.0, 0.2),
    CRASH: (1.8, 3000.0, 0.0, 1.0),
    RIDE: (1.0, 5000.0, 0.0, 1.0),
}


def synthesised(piece: Piece) -> NDArray[np.float32]:
    """The piece as mono audio at RATE_HZ; the same piece always sounds the same."""
    chance = np.random.default_rng(zlib.crc32(repr(piece).encode()))
    total = np.zeros(round(piece.seconds * RATE_HZ))
    for part in piece.parts:
        for note in part.notes:
            left_s = piece.seconds - note.start_s
            if left_s < note.length_s + RELEASE_S:  # nobody hears the rest
                note = replace(note, length_s=max(0.0, left_s - RELEASE_S))
            sound = _drum(note, part.kit, chance) if part.program == DRUMS else _tone(note, part, chance)
            first = round(note.start_s * RATE_HZ)
            room = total[first : first + len(sound)]
            room += sound[: len(room)] * (note.velocity / 127) ** 1.5
    total = _in_a_room(total, chance)
    return (total * (PEAK / max(np.abs(total).max(), 1e-9))).astype(np.float32)


def _tone(note: Note, part: Part, chance: np.random.Generator) -> Sound:
    hz = 440 * 2 ** ((note.pitch - 69) / 12)
    samples = round((note.length_s + RELEASE_S) * RATE_HZ)
    sound = _plucked(hz, samples, part, chance) if part.program in PLUCKED else _partials(hz, samples, part)
    release = min(samples, round(RELEASE_S * RATE_HZ))
    sound[samples - release :] *= np.linspace(1, 0, release)
    return sound


def _plucked(hz: float, samples: int, part: Part, chance: np.random.Generator) -> Sound:
    """Karplus and Strong's string: a period of noise that is smoothed each time it comes round."""
    timbre = np.random.default_rng(part.program)
    brightness, keeps = timbre.uniform(0.2, 0.9), timbre.uniform(0.992, 0.999)
    period = int(np.ceil(RATE_HZ / hz))
    smooth = chance.uniform(-1, 1, period)
    smooth = brightness * smooth + (1 - brightness) * (np.roll(smooth, 1) + np.roll(smooth, 2)) / 2
    laps = [smooth - smooth.mean()]
    for _ in range(2 + int(samples * hz / RATE_HZ)):
        laps.append(keeps * 0.5 * (laps[-1] + np.roll(laps[-1], 1)))
    string = np.concatenate(laps)
    # A period is a whole number of samples, the note is not: play the string a little faster.
    return np.interp(np.arange(samples) * (hz * period / RATE_HZ), np.arange(len(string)), string)


def _partials(hz: float, samples: int, part: Part) -> Sound:
    """A sum of partials, which decay if it is struck, and otherwise last, with an attack and a vibrato."""
    timbre = np.random.default_rng(part.program)
    time_s = np.arange(samples) / RATE_HZ
    struck = part.program in STRUCK
    fall = timbre.uniform(0.8, 2.2)  # of the amplitudes with the number of the partial
    stiffness = timbre.uniform(0, 8e-4) if struck else 0.0
    odd_only = timbre.random() < 0.15
    vibrato = 0.0 if struck else timbre.uniform(0, 0.006)
    bend = hz * (time_s - vibrato / (2 * np.pi * 5.5) * np.cos(2 * np.pi * 5.5 * time_s))
    decay_per_s = timbre.uniform(1, 6) if struck else 0.0
    weights = timbre.uniform(0.3, 1, MOST_PARTIALS)
    sound = np.zeros(samples)
    turn, harmonic = np.exp(2j * np.pi * bend), np.ones(samples, complex)
    for number in range(1, MOST_PARTIALS + 1):
        harmonic *= turn  # of this number, much sooner than by a sine
        stretched = number * np.sqrt(1 + stiffness * number**2)
        if stretched * hz > 0.47 * RATE_HZ or number**-fall < FAINT:
            break
        if odd_only and number % 2 == 0:
            continue
        wave = np.sin(2 * np.pi * stretched * bend) if stiffness else harmonic.imag
        if struck:
            wave = wave * np.exp(-decay_per_s * (1 + 0.15 * number) * time_s)
        sound += weights[number - 1] * number**-fall * wave
    attack_s = 0.003 if struck else timbre.uniform(0.01, 0.15)
    return sound * np.minimum(1, time_s / attack_s) * 0.3


def _drum(note: Note, kit: int, chance: np.random.Generator) -> Sound:
    fall_s, low_hz, pitch_hz, noisy = DRUM_SOUNDS[note.pitch]
    tuning = 1 + 0.1 * np.random.default_rng(kit).uniform(-1, 1)
    time_s = np.arange(round(fall_s * RATE_HZ)) / RATE_HZ
    spectrum = np.fft.rfft(chance.standard_normal(len(time_s)))
    spectrum[: int(low_hz * tuning * len(time_s) / RATE_HZ)] = 0
    sound = noisy * 0.3 * np.fft.irfft(spectrum, len(time_s))
    if pitch_hz:
        swept = (
            pitch_hz * tuning * (time_s + 0.03 * (1 - np.exp(-time_s / 0.03)))
        )  # begins at twice the pitch
        sound += (1 - noisy) * np.sin(2 * np.pi * swept)
    return sound * np.exp(-6.9 * time_s / fall_s)


def _in_a_room(sound: Sound, chance: np.random.Generator) -> Sound:
    fall_s, share = chance.uniform(0.3, 1.8), chance.uniform(0, 0.35)
    time_s = np.arange(round(fall_s * RATE_HZ)) / RATE_HZ
    echo = chance.standard_normal(len(time_s)) * np.exp(-6.9 * time_s / fall_s)
    echo /= np.sqrt(np.square(echo).sum())
    samples = len(sound) + len(echo)
    wet = np.fft.irfft(np.fft.rfft(sound, samples) * np.fft.rfft(echo, samples), samples)
    return (1 - share) * sound + share * wet[: len(sound)]
