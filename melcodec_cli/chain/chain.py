"""The chain: audio to indices and back, on batches of chunks with context.

Everything after the mel has a finite receptive field, and what lies outside the stream is silence (encoding) or absent
(decoding).  So a chunk with enough context gives what the whole would, and padding a batch changes nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from melcodec_cli.chain.coder import Coder
from melcodec_cli.chain.hifigan import HifiganVocoder
from melcodec_cli.chain.mel import LogMel
from melcodec_cli.chain.noise import REFINER_KEY, VOCODER_KEY, frame_noise
from melcodec_cli.chain.pitch import Pitch
from melcodec_cli.chain.profile import Profile
from melcodec_cli.chain.refiner import FlowRefiner
from melcodec_cli.chain.source import chunk_phase, per_sample, pulse_train, voiced_share
from melcodec_cli.chain.vocoder import HarmonicVocoder

VOCODERS: dict[str, type[HarmonicVocoder] | type[HifiganVocoder]] = {
    "harmonic": HarmonicVocoder,
    "hifigan": HifiganVocoder,
}


class Chain(nn.Module):
    """One coder, refiner, pitch stage and vocoder, as the profile names them."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.profile = profile
        bands = profile.mel.bands
        self.mel = LogMel(profile.mel)
        self.coder = Coder(profile.mel, profile.coder, profile.timbre)
        self.refiner = FlowRefiner(bands, profile.refiner) if profile.refiner else None
        self.pitch = Pitch(bands, profile.pitch) if profile.pitch else None
        self.vocoder = VOCODERS[profile.vocoder.name](profile.mel, profile.vocoder)
        self.bitstream_id, self.renderer_id = bytes(4), bytes(2)  # known once the weights are
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.coder.mean.device

    @property
    def default_steps(self) -> int:
        return self.profile.refiner.steps if self.profile.refiner else 0

    # -- contexts

    @property
    def encode_context_tokens(self) -> int:
        """Tokens' worth of audio needed either side of a chunk: the encoder's field, and one for the mel's window."""
        return self.coder.encoder.context_tokens + 1

    @property
    def encode_context_samples(self) -> int:
        return self.encode_context_tokens * self.profile.token_samples

    def _vocoder_context_frames(self) -> int:
        return self.vocoder.context_frames + (self.pitch.context_frames if self.pitch else 0)

    def _refiner_context_frames(self, steps: int) -> int:
        return steps * self.refiner.context_frames_per_step if self.refiner else 0

    def decode_context_tokens(self, steps: int) -> int:
        """Tokens needed either side of a chunk."""
        frames = self._vocoder_context_frames() + self._refiner_context_frames(steps)
        return -(-frames // self.profile.coder.token_frames) + self.coder.decoder.context_tokens

    # -- encoding

    @torch.inference_mode()
    def encode(self, audio: Tensor, valid_tokens: list[int]) -> tuple[Tensor, Tensor | None]:
        """Audio (batch, context + n tokens + context), tokens of each chunk that the stream has -> indices (batch, n),
        global indices (batch, values) or None.  Always in float32: a coarser one would change indices."""
        mel = self.mel(audio.to(self.device))
        valid = torch.tensor(valid_tokens, device=self.device)
        indices, globals_ = self.coder.encode(mel, self.encode_context_tokens, valid)
        return indices.cpu(), None if globals_ is None else globals_.cpu()

    # -- decoding

    @torch.inference_mode()
    def decode(
        self, indices: Tensor, globals_: Tensor | None, first_frames: list[int], tokens: list[int], steps: int
    ) -> Tensor:
        """One chunk an item, with context of decode_context_tokens(steps) either side -> audio (batch, n * token).

        indices (batch, context + n + context), -1 where the stream has none; globals_ (batch, the same, values), of
        the chunk that each token belongs to; first_frames: absolute mel frame at which each chunk begins; tokens: how
        many each chunk has, the rest of the n being padding.
        """
        context = self.decode_context_tokens(steps)
        per_token, hop = self.profile.coder.token_frames, self.profile.mel.hop_samples
        frames = (indices.shape[1] - 2 * context) * per_token
        indices = indices.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            mel = self.coder.decode(indices, None if globals_ is None else globals_.to(self.device)).float()
            absent = (indices < 0).repeat_interleave(per_token, 1).unsqueeze(-1)
            mel = mel.masked_fill(absent, self.mel.silence)
            margin = self._vocoder_context_frames()
            if self.refiner is not None and steps > 0:
                wide = margin + self._refiner_context_frames(steps)
                mel, absent = (_crop(x, context * per_token, frames, wide) for x in (mel, absent))
                noise = self._noise(REFINER_KEY, first_frames, wide, mel.shape[1], mel.shape[2])
                mel = self.refiner(mel, noise, steps).masked_fill(absent, self.mel.silence)
                mel = _crop(mel, wide, frames, margin)
            else:
                mel = _crop(mel, context * per_token, frames, margin)
            lengths = torch.tensor(tokens, device=self.device) * (per_token * hop)
            return self._vocode(mel, first_frames, frames, lengths).float().cpu()

    def _vocode(self, mel: Tensor, first_frames: list[int], frames: int, lengths: Tensor) -> Tensor:
        """Log-mel with the vocoder's context -> audio of the frames between, (batch, frames * hop)."""
        config, margin = self.profile.mel, self._vocoder_context_frames()
        if isinstance(self.vocoder, HifiganVocoder):
            audio = self.vocoder(mel)
        else:
            assert self.pitch is not None
            pitch_hz, voicing = self.pitch(mel)
            sample_hz = per_sample(pitch_hz, config.hop_samples)
            phase = chunk_phase(
                sample_hz, config.rate_hz, config.hop_samples, margin * config.hop_samples, lengths
            )
            pulses = pulse_train(phase, sample_hz, config.rate_hz) * voiced_share(voicing, config.hop_samples)
            noise = self._noise(VOCODER_KEY, first_frames, margin, mel.shape[1], config.hop_samples).flatten(
                1
            )
            audio = self.vocoder(mel, pitch_hz, voicing, pulses, noise)
        return audio[:, margin * config.hop_samples : (margin + frames) * config.hop_samples]

    def _noise(self, key: int, first_frames: list[int], margin: int, frames: int, width: int) -> Tensor:
        rows = [frame_noise(key, first - margin, frames, width) for first in first_frames]
        return torch.from_numpy(np.stack(rows)).to(self.device)

    # -- figures

    def parameter_counts(self) -> dict[str, int]:
        stages: dict[str, nn.Module | None] = {
            "encoder": self.coder.encoder,
            "timbre": self.coder.timbre,
            "quantiser": self.coder.quantiser,
            "decoder": self.coder.decoder,
            "refiner": self.refiner,
            "pitch": self.pitch,
            "vocoder": self.vocoder,
        }
        return {name: sum(p.numel() for p in stage.parameters()) for name, stage in stages.items() if stage}


def _crop(x: Tensor, context: int, length: int, margin: int) -> Tensor:
    """Narrow dimension 1, laid out context + length + context, to margin + length + margin."""
    return x[:, context - margin : context + length + margin]
