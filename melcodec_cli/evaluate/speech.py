"""A clip as the metrics see it: mono, 16 kHz.

Only what is small and slow to compute is kept: hours of spectra would fill the memory.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from melcodec_cli.chain.mel import LogMel
from melcodec_cli.chain.profile import MelConfig

RATE_HZ = 16000
# Fixed, whatever the codec's own front end is: 80 Slaney bands to 8 kHz, FFT 1024, Hann window 640, hop 160.
MEL = MelConfig()
CEPSTRA = 24
PITCH_LOW_HZ, PITCH_HIGH_HZ = 60.0, 500.0
MAGNITUDE_FLOOR = 1e-3  # about 100 dB below a full-scale sine, just above the noise of 16-bit samples

Audio = NDArray[np.float32]
Table = NDArray[np.float64]


class Speech:
    """audio: float32 (samples,) at 16 kHz, clipped to what a 16-bit file can hold."""

    def __init__(self, audio: Audio):
        if audio.ndim != 1:
            raise ValueError("metrics compare mono clips")
        self.audio: Audio = np.ascontiguousarray(np.clip(audio, -1.0, 1.0), np.float32)

    def first(self, samples: int) -> Speech:
        return self if samples == len(self.audio) else Speech(self.audio[:samples])

    @property
    def _whole_hops(self) -> Audio:
        return np.pad(self.audio, (0, -len(self.audio) % MEL.hop_samples))

    @property
    def log_mel(self) -> Table:
        """ln(max(mel, 1e-5)) of magnitudes: (frame, band)."""
        with torch.inference_mode():
            return _front_end()(torch.from_numpy(self._whole_hops)[None])[0].numpy().astype(np.float64)

    @property
    def cepstra(self) -> Table:
        """c_1..c_24 of c_k = 2/80 sum_b log_mel_b cos(pi k (b + 1/2) / 80): (frame, 24)."""
        band = np.arange(MEL.bands) + 0.5
        basis = np.cos(np.pi / MEL.bands * np.outer(band, np.arange(1, CEPSTRA + 1)))
        return self.log_mel @ basis * (2 / MEL.bands)

    @property
    def spectrum_db(self) -> Table:
        """20 log10 of STFT magnitudes: (frame, bin), with the frames of the log-mel."""
        margin = (MEL.fft_samples - MEL.hop_samples) // 2
        padded = np.pad(self._whole_hops, margin).astype(np.float64)
        frames = np.lib.stride_tricks.sliding_window_view(padded, MEL.fft_samples)[:: MEL.hop_samples]
        side = (MEL.fft_samples - MEL.window_samples) // 2
        window = np.pad(np.hanning(MEL.window_samples + 1)[:-1], side)
        return 20 * np.log10(np.maximum(np.abs(np.fft.rfft(frames * window)), MAGNITUDE_FLOOR))

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


@lru_cache(1)
def _front_end() -> LogMel:
    return LogMel(MEL)


@lru_cache(1)
def _speaker_encoder() -> Any:
    from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)
