"""A clip as the metrics see it: mono, 16 kHz, and beside that 48 kHz where the original has the full band.

Most clips are speech, hence the name; music and other sounds are held in the same way.

Only what is small and slow to compute is kept: hours of spectra would fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from melcodec_cli.audio import Resampler
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.mel_config import MelConfig

RATE_HZ = 16000
FULL_RATE_HZ = 48000
# Fixed, whatever the codec's own front end is: 80 Slaney bands to 8 kHz, FFT 1024, Hann window 640, hop 160.
MEL = MelConfig()
# For pictures: the same in seconds and hertz, up to the end of the full band.
FULL_MEL = MelConfig(FULL_RATE_HZ, 3072, 1920, 480, bands=110, high_hz=FULL_RATE_HZ / 2)
CEPSTRA = 24
PITCH_LOW_HZ, PITCH_HIGH_HZ = 60.0, 500.0
MAGNITUDE_FLOOR = (
    1e-3  # at 16 kHz about 100 dB below a full-scale sine, just above the noise of 16-bit samples
)
NOISE_POWER = 2.0**-30 / 12  # of those samples' rounding, all over the band

Audio = NDArray[np.float32]
Table = NDArray[np.float64]
Found = TypeVar("Found")


class Speech:
    """sound: float32 (samples,) at `rate_hz`, 16 or 48 kHz, clipped to what a 16-bit file can hold."""

    def __init__(self, sound: Audio, rate_hz: int = RATE_HZ):
        if sound.ndim != 1:
            raise ValueError("metrics compare mono clips")
        if rate_hz not in (RATE_HZ, FULL_RATE_HZ):
            raise ValueError(f"metrics compare clips at 16 or 48 kHz, not {rate_hz} Hz")
        self.sound: Audio = np.ascontiguousarray(np.clip(sound, -1.0, 1.0), np.float32)
        self.rate_hz = rate_hz

    @property
    def full_band(self) -> bool:
        return self.rate_hz == FULL_RATE_HZ

    @property
    def duration_s(self) -> float:
        return len(self.sound) / self.rate_hz

    def between(self, start: int, end: int) -> Speech:
        """Of the sound's samples; a whole one remembers what it took to compute."""
        return self if (start, end) == (0, len(self.sound)) else Speech(self.sound[start:end], self.rate_hz)

    @property
    def learnt(self) -> dict[str, Any]:
        """What it took to compute so far."""
        return {name: value for name, value in vars(self).items() if name not in ("sound", "rate_hz")}

    def remember(self, learnt: dict[str, Any]) -> None:
        """What a copy of it learnt elsewhere."""
        vars(self).update(learnt)

    def learn(self, find: Callable[[Audio], Found]) -> Found:
        """What a function finds in the sound at 16 kHz, looked for once."""
        name = f"{find.__module__}.{find.__name__}"
        if name not in vars(self):
            vars(self)[name] = find(self.audio)
        found: Found = vars(self)[name]
        return found

    @cached_property
    def audio(self) -> Audio:
        """At 16 kHz."""
        return resampled(self.sound, self.rate_hz, RATE_HZ) if self.full_band else self.sound

    @property
    def log_mel(self) -> Table:
        """ln(max(mel, 1e-5)) of magnitudes up to 8 kHz: (frame, band)."""
        return _log_mel(self.audio, MEL)

    @property
    def whole_log_mel(self) -> Table:
        """The same up to the end of the sound's own band, in more bands where that is the full one."""
        return _log_mel(self.sound, FULL_MEL) if self.full_band else self.log_mel

    @property
    def cepstra(self) -> Table:
        """c_1..c_24 of c_k = 2/80 sum_b log_mel_b cos(pi k (b + 1/2) / 80): (frame, 24)."""
        return _cepstra(self.log_mel)

    @property
    def whole_cepstra(self) -> Table:
        """The same of as many bands as the sound's own band has."""
        return _cepstra(self.whole_log_mel)

    @property
    def spectrum_db(self) -> Table:
        """20 log10 of STFT magnitudes up to 8 kHz: (frame, bin), with the frames of the log-mel."""
        return _spectrum_db(self.audio, MEL)

    @property
    def whole_spectrum_db(self) -> Table:
        """The same up to the end of the sound's own band."""
        return _spectrum_db(self.sound, FULL_MEL) if self.full_band else self.spectrum_db

    def band_power_db(self, low_hz: float, high_hz: float) -> float:
        """Of what the sound has in a band, no lower than the rounding of 16-bit samples leaves there."""
        power = np.square(np.abs(np.fft.rfft(self.sound.astype(np.float64)))) * 2 / len(self.sound) ** 2
        frequency_hz = np.fft.rfftfreq(len(self.sound), 1 / self.rate_hz)
        inside = float(power[(frequency_hz >= low_hz) & (frequency_hz < high_hz)].sum())
        floor = NOISE_POWER * (high_hz - low_hz) / (self.rate_hz / 2)
        return float(10 * np.log10(max(inside, floor)))

    @cached_property
    def pitch_hz(self) -> Table:
        """WORLD's DIO + StoneMask, one value a hop of the mel; 0 where unvoiced."""
        import pyworld

        audio = self.audio.astype(np.float64)
        coarse_hz, times_s = pyworld.dio(
            audio,
            RATE_HZ,
            f0_floor=PITCH_LOW_HZ,
            f0_ceil=PITCH_HIGH_HZ,
            frame_period=1000 * MEL.hop_samples / RATE_HZ,
        )
        refined_hz: Table = pyworld.stonemask(audio, coarse_hz, times_s, RATE_HZ)
        return refined_hz

    @cached_property
    def speaker(self) -> Audio | None:
        """Unit vector of the GE2E speaker encoder; None where it finds no speech."""
        from resemblyzer import preprocess_wav

        voiced = preprocess_wav(self.audio) if self.audio.any() else self.audio[:0]
        if not len(voiced):
            return None
        embedding: Audio = _speaker_encoder().embed_utterance(voiced)
        return embedding


def resampled(audio: Audio, rate_in_hz: int, rate_out_hz: int) -> Audio:
    if rate_in_hz == rate_out_hz:
        return audio
    resampler = Resampler(rate_in_hz, rate_out_hz, 1)
    pieces = [resampler.process(audio[:, None]), resampler.flush()]
    result: Audio = np.concatenate(pieces)[:, 0]
    return result


def _whole_hops(audio: Audio, config: MelConfig) -> Audio:
    return np.pad(audio, (0, -len(audio) % config.hop_samples))


def _log_mel(audio: Audio, config: MelConfig) -> Table:
    with torch.inference_mode():
        return (
            _front_end(config)(torch.from_numpy(_whole_hops(audio, config))[None])[0]
            .numpy()
            .astype(np.float64)
        )


def _cepstra(log_mel: Table) -> Table:
    bands = log_mel.shape[1]
    basis = np.cos(np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(1, CEPSTRA + 1)))
    return log_mel @ basis * (2 / bands)


def _spectrum_db(audio: Audio, config: MelConfig) -> Table:
    margin = (config.fft_samples - config.hop_samples) // 2
    padded = np.pad(_whole_hops(audio, config), margin).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.fft_samples)[:: config.hop_samples]
    side = (config.fft_samples - config.window_samples) // 2
    window = np.pad(np.hanning(config.window_samples + 1)[:-1], side)
    # Noise of one density has magnitudes that grow with the root of the window.
    floor = MAGNITUDE_FLOOR * np.sqrt(config.rate_hz / RATE_HZ)
    return 20 * np.log10(np.maximum(np.abs(np.fft.rfft(frames * window)), floor))


@cache
def _front_end(config: MelConfig) -> LogMel:
    return LogMel(config)


@cache
def _speaker_encoder() -> Any:
    from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)
