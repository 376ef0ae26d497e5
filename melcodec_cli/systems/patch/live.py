"""The patch codec live: one column of patches at a time.

A session is one endless chunk: it keeps what each layer remembers, and gives what coding the whole at once would give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melcodec_cli.layers.frame_pulses import cycles_per_frame
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.spectra import audio_of
from melcodec_cli.systems.patch.vocoder import PatchVocoder

if TYPE_CHECKING:
    from melcodec_cli.systems.patch.patch import Patch


class PatchSender:
    """Turns audio into columns of indices, each as soon as its last window is complete."""

    def __init__(self, patch: Patch) -> None:
        self.patch, self.memory = patch, Memory()
        mel = patch.profile.mel
        self.column_samples = patch.profile.column_samples
        self.overlap = mel.fft_samples - mel.hop_samples  # of windows, half of it on either side of a column
        self.held = np.zeros(self.overlap // 2, np.float32)
        self.whole = 0  # samples that came in

    @torch.inference_mode()
    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        self.whole += len(data)
        self.held = np.concatenate([self.held, data.astype(np.float32, copy=False)])
        columns = max(0, len(self.held) - self.overlap) // self.column_samples
        if not columns:
            return np.zeros((0, self.patch.tokenizer.rows), np.int64)
        used = columns * self.column_samples
        audio = torch.from_numpy(self.held[: used + self.overlap]).unsqueeze(0).to(self.patch.device)
        self.held = self.held[used:]
        [indices] = self.patch.tokenizer.encode(self.patch.mel.inside(audio), self.memory)
        return indices.cpu().numpy()

    def flush(self) -> NDArray[Any]:
        missing = -self.whole % self.column_samples
        return self.push(np.zeros(missing + self.overlap // 2, np.float32))


class PatchReceiver:
    """Turns columns of indices into audio, all but the half overlap that waits for the next column."""

    def __init__(self, patch: Patch) -> None:
        self.patch, self.memory = patch, Memory()
        self.cycles = torch.zeros(1, 1, dtype=torch.float64, device=patch.device)  # until now
        self.frames = 0  # until now
        vocoder = patch.vocoder
        assert isinstance(vocoder, PatchVocoder), "HiFi-GAN looks ahead"
        self.vocoder = vocoder
        self.tail = torch.zeros(1, vocoder.overlap - 1, vocoder.hop_samples, device=patch.device)
        self.skipped = vocoder.margin  # samples before the beginning, still to be left out

    @torch.inference_mode()
    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        if not len(data):
            return np.zeros(0, np.float32)
        mel = self.patch.column_mel(torch.from_numpy(data).unsqueeze(0).to(self.patch.device), self.memory)
        pitch_hz, voicing = self._pitch(mel)
        config = self.patch.profile.mel
        cycles = cycles_per_frame(pitch_hz, config.rate_hz, config.hop_samples)
        ends = self.cycles + torch.cumsum(cycles, 1)
        self.cycles = ends[:, -1:]
        numbers = self.frames + torch.arange(mel.shape[1], device=mel.device).unsqueeze(0)
        self.frames += mel.shape[1]
        total = self.vocoder.added_up(mel, pitch_hz, voicing, ends - cycles / 2, numbers, memory=self.memory)
        total[:, : self.tail.shape[1]] += self.tail
        self.tail = total[:, mel.shape[1] :]
        return self._audible(total[:, : mel.shape[1]])

    def flush(self) -> NDArray[Any]:
        with torch.inference_mode():
            return self._audible(self.tail)[: self.vocoder.margin]

    def _pitch(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        assert self.patch.pitch is not None
        return self.patch.pitch(mel, memory=self.memory)

    def _audible(self, total: Tensor) -> NDArray[Any]:
        audio = audio_of(total, self.vocoder.overlap)[0, self.skipped :]
        self.skipped = max(0, self.skipped - total[0].numel())
        return audio.cpu().numpy()
