"""Random microphones, rooms and levels, to widen the corpus; computed on the training device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

CURVE_POINTS = 6  # of a random smooth gain curve, from 0 to half the rate
ROOM_S = 0.6  # length of a room's response
NOTES, OVERTONES = 4, 4  # of a chord
VOICES = 4  # of babble
RECORDED = 0.5  # share of noise and echoes that are recorded, where there are recordings
SOUND_PEAK = 0.3  # of noises and chords, before levels are drawn

# (low, high, *shape) -> uniform random values.
Uniform = Callable[..., Tensor]


@dataclass(frozen=True)
class Augmentation:
    """Changes to a crop.  Equaliser, room and level change input and target alike: the codec should keep them."""

    no_speech: float = (
        0.0  # share of crops replaced by noise or chords, so that such sounds decode reasonably
    )
    equaliser: float = 0.5  # share of crops that are filtered
    equaliser_db: float = 6.0  # spread of the smooth random curve
    room: float = 0.0  # share of crops that sound in a random room
    room_low_s: float = 0.15  # time in which its echo falls by 60 dB
    room_high_s: float = 0.6
    room_low_db: float = -15.0  # energy of the echo relative to the direct sound
    room_high_db: float = 0.0
    level_low_db: float = -15.0
    level_high_db: float = 6.0
    noise: float = 0.0  # share of crops with noise added to the input, but not to the target
    noise_low_db: float = 15.0  # speech relative to noise
    noise_high_db: float = 35.0
    babble: float = 0.0  # share of this noise that is speech of other crops
    noise_sources: tuple[str, ...] = ()  # of recorded noise, which half of the other noise is
    echo: float = 0.0  # share of crops whose input, but not target, sounds in a room; they get no noise
    room_sources: tuple[str, ...] = ()  # of recorded responses to an impulse, with which half of them sound
    edge: float = 0.15  # share of crops that begin or end in digital silence
    mixed: float = 0.0  # share of crops to which another crop of the batch is added, such as music to speech
    mixed_low_db: float = 0.0  # how much softer the other one is
    mixed_high_db: float = 25.0


def augmented(
    audio: Tensor,
    other: Tensor,
    rate_hz: int,
    setting: Augmentation,
    generator: torch.Generator,
    noises: Tensor | None = None,
    echoes: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """audio and other (batch, samples) of the same recording -> target, noisy input, and other, all augmented.

    noises (batch, samples): recordings; echoes (batch, samples): what follows a direct sound in recorded rooms.
    """
    batch, samples = audio.shape
    device = audio.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, device=device)

    def chosen(share: float) -> Tensor:
        return uniform(0, 1, batch, 1) < share

    if setting.no_speech:
        strange = chosen(setting.no_speech).squeeze(1)
        if strange.any():
            sound = no_speech(int(strange.sum()), samples, rate_hz, uniform)
            audio, other = audio.clone(), other.clone()
            audio[strange], other[strange] = sound, sound
    if setting.mixed:
        softer_db = uniform(setting.mixed_low_db, setting.mixed_high_db, batch, 1)
        under = mixed_under(audio, audio.roll(1, 0), softer_db)
        audio = torch.where(chosen(setting.mixed), under, audio)

    curve_db = torch.where(
        chosen(setting.equaliser), uniform(-1, 1, batch, CURVE_POINTS) * setting.equaliser_db, 0.0
    )
    audio, other = _equalised(audio, curve_db), _equalised(other, curve_db)
    if setting.room:
        fall_s = uniform(setting.room_low_s, setting.room_high_s, batch, 1)
        share_db = uniform(setting.room_low_db, setting.room_high_db, batch, 1)
        white = torch.randn(batch, int(ROOM_S * rate_hz), generator=generator, device=device)
        response = room_response(fading(white, fall_s, rate_hz), share_db)
        inside = chosen(setting.room)
        audio, other = (torch.where(inside, _convolved(x, response), x) for x in (audio, other))

    level = 10 ** (uniform(setting.level_low_db, setting.level_high_db, batch, 1) / 20)
    peak = torch.maximum(audio.abs().amax(1, keepdim=True), other.abs().amax(1, keepdim=True))
    level = torch.minimum(level, 0.99 / peak.clamp(min=1e-4))
    audio, other = audio * level, other * level

    position = torch.arange(samples, device=device) / samples
    edge, cut = chosen(setting.edge), uniform(0, 0.5, batch, 1)
    silent = torch.where(chosen(0.5), position < cut, position > 1 - cut) & edge
    audio = audio.masked_fill(silent, 0.0)
    if setting.noise == 0 and setting.echo == 0:
        return audio, audio, other
    return audio, _disturbed(audio, rate_hz, setting, generator, uniform, noises, echoes), other


def _disturbed(
    audio: Tensor,
    rate_hz: int,
    setting: Augmentation,
    generator: torch.Generator,
    uniform: Uniform,
    noises: Tensor | None,
    echoes: Tensor | None,
) -> Tensor:
    """Audio (batch, sample) with noise, in a room, or as it is."""
    batch, device = len(audio), audio.device
    loudness = audio.square().mean(1, keepdim=True).sqrt()
    ratio = 10 ** (-uniform(setting.noise_low_db, setting.noise_high_db, batch, 1) / 20)
    white = torch.randn(audio.shape, generator=generator, device=device)
    noise = _equalised(white, uniform(-1, 1, batch, CURVE_POINTS) * 20.0)
    place = uniform(0, 1, batch, 1)  # noisy, in a room, or neither
    if noises is not None:
        noise = torch.where(uniform(0, 1, batch, 1) < RECORDED, noises, noise)
    if setting.babble:
        others = babble(audio, uniform)
        noise = torch.where(uniform(0, 1, batch, 1) < setting.babble, others, noise)
    noise = noise / noise.square().mean(1, keepdim=True).sqrt().clamp(min=1e-9) * loudness * ratio
    disturbed = torch.where(place < setting.noise, audio + noise, audio)
    if not setting.echo:
        return disturbed
    fall_s = uniform(setting.room_low_s, setting.room_high_s, batch, 1)
    share_db = uniform(setting.room_low_db, setting.room_high_db, batch, 1)
    white = torch.randn(batch, int(ROOM_S * rate_hz), generator=generator, device=device)
    echo = fading(white, fall_s, rate_hz)
    if echoes is not None:
        echo = torch.where(uniform(0, 1, batch, 1) < RECORDED, echoes, echo)
    heard = _convolved(audio, room_response(echo, share_db))
    echoing = (place >= setting.noise) & (place < setting.noise + setting.echo)
    return torch.where(echoing, heard, disturbed)


def mixed_under(audio: Tensor, under: Tensor, softer_db: Tensor) -> Tensor:
    """Audio (batch, sample) with another sound under it, softer (batch, 1) by so much on average.

    What the other one has above the bandwidth of the first is not judged: a crop keeps its bandwidth.
    """
    loudness, its_own = (each.square().mean(1, keepdim=True).sqrt() for each in (audio, under))
    return audio + under * (10 ** (-softer_db / 20) * loudness / its_own.clamp(min=1e-6))


def babble(audio: Tensor, uniform: Uniform) -> Tensor:
    """For each crop of (batch, sample), the sum of up to VOICES others, each later by any time, around the end."""
    batch, samples = audio.shape
    total = torch.zeros_like(audio)
    steps = torch.arange(samples, device=audio.device)
    for _ in range(VOICES):
        apart = 1 + (uniform(0, 1, batch) * (batch - 1)).long()
        voice = audio[(torch.arange(batch, device=audio.device) + apart) % batch]
        shift = (uniform(0, 1, batch, 1) * samples).long()
        total = total + uniform(0, 1, batch, 1) * voice.gather(1, (steps + shift) % samples)
    return total


def no_speech(rows: int, samples: int, rate_hz: int, uniform: Uniform) -> Tensor:
    """Noise of any colour, or a chord of decaying notes struck again and again: (rows, samples)."""
    noise = _equalised(uniform(-1, 1, rows, samples), uniform(-1, 1, rows, CURVE_POINTS) * 20.0)

    time_s = torch.arange(samples, device=noise.device) / rate_hz
    note_hz = 110.0 * 2 ** (uniform(0, 36, rows, NOTES, 1).round() / 12)
    loudness = uniform(0, 1, rows, NOTES, 1)
    notes = [
        (loudness / k * torch.sin(2 * math.pi * k * note_hz * time_s)).sum(1) for k in range(1, OVERTONES + 1)
    ]
    beat_s, fall_per_s = uniform(0.2, 1.2, rows, 1), uniform(0, 8, rows, 1)
    chord = torch.stack(notes).sum(0) * torch.exp(-fall_per_s * torch.remainder(time_s, beat_s))

    sound = torch.where(uniform(0, 1, rows, 1) < 0.5, noise, chord)
    return sound / sound.abs().amax(1, keepdim=True) * SOUND_PEAK


def fading(white: Tensor, fall_s: Tensor, rate_hz: int) -> Tensor:
    """White noise (batch, samples) that falls by 60 dB in fall_s (batch, 1)."""
    time_s = torch.arange(white.shape[1], device=white.device) / rate_hz
    return white * torch.exp(-3 * math.log(10) * time_s / fall_s)


def room_response(echo: Tensor, share_db: Tensor) -> Tensor:
    """A direct sound of 1, then an echo (batch, samples) with this energy (batch, 1) relative to it."""
    later = echo[:, 1:]
    later = later / later.square().sum(1, keepdim=True).sqrt().clamp(min=1e-9) * 10 ** (share_db / 20)
    return torch.cat([torch.ones_like(later[:, :1]), later], 1)


def _convolved(audio: Tensor, response: Tensor) -> Tensor:
    """Audio (batch, samples) as heard in a room, cut to its own length."""
    samples = audio.shape[1] + response.shape[1]
    spectrum = torch.fft.rfft(audio, samples) * torch.fft.rfft(response, samples)
    return torch.fft.irfft(spectrum, samples)[:, : audio.shape[1]]


def _equalised(audio: Tensor, curve_db: Tensor) -> Tensor:
    """Filter with a smooth gain curve given at points from 0 to half the rate: (batch, points) in dB."""
    spectrum = torch.fft.rfft(audio)
    gain_db = torch.nn.functional.interpolate(
        curve_db.unsqueeze(1), size=spectrum.shape[-1], mode="linear", align_corners=True
    ).squeeze(1)
    return torch.fft.irfft(spectrum * torch.exp(gain_db * (math.log(10) / 20)), n=audio.shape[-1])
