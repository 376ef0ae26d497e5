"""Clips in noise and in rooms, made from themselves, so that nothing else is needed: the same ones on every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from melcodec_cli.evaluate.clips import Clip, clips_of, read_speech
from melcodec_cli.evaluate.contenders import Coded, Contender
from melcodec_cli.evaluate.evaluation import Recording
from melcodec_cli.evaluate.peers import write_wav
from melcodec_cli.evaluate.speech import Audio, Speech

SEED = 1
NOISE_LOW_DB, NOISE_HIGH_DB = 5.0, 20.0  # speech relative to noise
VOICES = 4  # of babble
TILT_DB = 9.0  # steepest fall or rise of made-up noise in an octave
LOWEST_HZ = 50.0  # below which it is as loud as there
FALL_LOW_S, FALL_HIGH_S = 0.2, 0.8  # in which the echo of a room falls by 60 dB
ECHO_LOW_DB, ECHO_HIGH_DB = -10.0, 0.0  # energy of the echo relative to the direct sound
LOUDEST = 0.99


@dataclass(frozen=True)
class Disturbances:
    """Where noise and rooms come from; nothing named: they are made up."""

    noises: Sequence[Path] = ()
    rooms: Sequence[Path] = ()

    def of(self, recordings: Sequence[Recording], folder: Path) -> Iterator[Recording]:
        """Each recording in noise, and then in a room.  What contenders are given is written to the folder."""
        sounds = [each.speech.sound for each in recordings]
        for number, recording in enumerate(recordings):
            random = np.random.default_rng([SEED, number])
            speech = recording.speech
            noise = self._noise(number, sounds, speech.rate_hz, random)
            wanted_db = random.uniform(NOISE_LOW_DB, NOISE_HIGH_DB)
            heard = mixed(speech.sound, noise, wanted_db)
            yield _given(recording, f"{wanted_db:.0f} dB", heard, folder / f"{number}-noise.wav")
            heard = in_room(speech.sound, self._room(speech.rate_hz, random))
            yield _given(recording, "room", heard, folder / f"{number}-room.wav")

    def _noise(
        self, number: int, sounds: Sequence[Audio], rate_hz: int, random: np.random.Generator
    ) -> Audio:
        samples = len(sounds[number])
        if self.noises:
            found = read_speech(self.noises[int(random.integers(len(self.noises)))], rate_hz)
            return np.roll(np.resize(found, max(samples, len(found))), int(random.integers(1 << 30)))[
                :samples
            ]
        if number % 2:
            return coloured(samples, rate_hz, random)
        others = [sound for place, sound in enumerate(sounds) if place != number]
        return babble(samples, others or sounds, random)

    def _room(self, rate_hz: int, random: np.random.Generator) -> Audio:
        if self.rooms:
            response = read_speech(self.rooms[int(random.integers(len(self.rooms)))], rate_hz)
            return response[int(np.abs(response).argmax()) :]  # the direct sound comes at once
        return room(rate_hz, random)


class NoisyInput(Contender):
    """What went in: the least that coding should leave of it."""

    kind = "reference"
    name = "noisy input"

    def code(self, clip: Clip, speech: Speech) -> Coded:
        return Coded(speech.sound, 0, 0, 0.0, 0.0)


def files_in(folder: Path | None) -> list[Path]:
    """The recordings of a user's noise or rooms."""
    return [] if folder is None else [clip.path for clip in clips_of([folder])]


def mixed(speech: Audio, noise: Audio, ratio_db: float) -> Audio:
    """Speech in noise that is `ratio_db` quieter."""
    gain = _loudness(speech) / max(_loudness(noise), 1e-9) * 10 ** (-ratio_db / 20)
    return _within(speech + gain * noise)


def babble(samples: int, voices: Sequence[Audio], random: np.random.Generator) -> Audio:
    """Several of these voices at once, each from any place on, around its end."""
    total = np.zeros(samples, np.float32)
    for _ in range(VOICES):
        voice = voices[int(random.integers(len(voices)))]
        looped = np.resize(np.roll(voice, int(random.integers(len(voice)))), samples)
        total += looped / max(_loudness(voice), 1e-9)
    return total


def coloured(samples: int, rate_hz: int, random: np.random.Generator) -> Audio:
    """Steady noise whose spectrum falls or rises evenly."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(samples, 1 / rate_hz), LOWEST_HZ) / LOWEST_HZ)
    tilt_db = random.uniform(-TILT_DB, TILT_DB / 3)
    return np.fft.irfft(spectrum * 10 ** (tilt_db * octaves / 20), samples).astype(np.float32)


def room(rate_hz: int, random: np.random.Generator) -> Audio:
    """The response of a room: a direct sound of 1, then noise that dies away."""
    fall_s = random.uniform(FALL_LOW_S, FALL_HIGH_S)
    time_s = np.arange(round(fall_s * rate_hz)) / rate_hz
    echo = random.standard_normal(len(time_s)) * 10 ** (-3 * time_s / fall_s)
    echo[0] = 0
    echo *= 10 ** (random.uniform(ECHO_LOW_DB, ECHO_HIGH_DB) / 20) / np.linalg.norm(echo)
    echo[0] = 1
    return echo.astype(np.float32)


def in_room(speech: Audio, response: Audio) -> Audio:
    samples = len(speech) + len(response)
    heard = np.fft.irfft(np.fft.rfft(speech, samples) * np.fft.rfft(response, samples), samples)
    return _within(heard[: len(speech)].astype(np.float32))


def _given(recording: Recording, what: str, sound: Audio, path: Path) -> Recording:
    write_wav(path, sound, recording.speech.rate_hz)
    clip = Clip(f"{recording.clip.name} ({what})", path)
    return Recording(clip, recording.speech, Speech(sound, recording.speech.rate_hz))


def _loudness(sound: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0


def _within(sound: Audio) -> Audio:
    """Quieter where it would be clipped."""
    return sound * np.float32(min(1.0, LOUDEST / max(float(np.abs(sound).max(initial=0)), 1e-9)))
