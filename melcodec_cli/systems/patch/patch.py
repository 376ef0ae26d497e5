"""The patch codec: a log-mel cut into square patches, with an index for each, and a vocoder that hears the result.

Columns of patches are its frames.  Everything after the mel is causal, and sees zeros before the beginning of a stream.
So a chunk with enough of what comes before it gives the same result as the whole stream.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from melcodec_cli.layers.by_ear import Ear, chosen_in_pieces
from melcodec_cli.layers.frame_pulses import chunk_phase, cycles_per_frame
from melcodec_cli.layers.hifigan import HifiganVocoder
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.layers.rows import frame_numbers, inside_of, narrowed_rows, padded
from melcodec_cli.layers.tokenizer import patch_tokenizer
from melcodec_cli.systems.networks import Networks
from melcodec_cli.systems.patch.config import Profile
from melcodec_cli.systems.patch.live import PatchReceiver, PatchSender
from melcodec_cli.systems.patch.vocoder import PatchVocoder
from melcodec_cli.systems.registry import LATER_OPTIONS
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Audio, Codes, Identity, Option, Options, Reach, Shape

STEP = 0.05  # of the search by ear, in deviations of the latents
SEARCHED = 160  # columns in memory at once


class Patch(Networks[Profile]):
    profile_class = Profile
    identity: ClassVar[Identity] = Identity(
        bitstream_parts=(
            "tokenizer.decoder.",
            "tokenizer.quantiser.codebook",
            "tokenizer.mean",
            "tokenizer.deviation",
        ),
        bitstream_settings=("mel", "tokenizer"),
        renderer_parts=("pitch.", "vocoder."),
        renderer_settings=("pitch", "vocoder"),
        unshipped=("tokenizer.quantiser.usage",),  # the running usage that guides online clustering
    )
    suits = ("speech",)
    options: Sequence[Option] = LATER_OPTIONS["patch"]

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.mel = LogMel(profile.mel)
        self.tokenizer = patch_tokenizer(profile.mel.bands, profile.tokenizer)
        self.vocoder = vocoder_for(profile)
        harmonic = isinstance(self.vocoder, PatchVocoder)
        self.pitch = Pitch(profile.mel.bands, profile.pitch, causal=True) if harmonic else None
        self.ear = Ear(profile.mel.rate_hz, profile.mel.high_hz, profile.column_samples)
        self.eval().requires_grad_(False)

    @property
    def shape(self) -> Shape:
        profile, rows = self.profile, self.tokenizer.rows
        window_columns = self._columns(self.mel.context_frames)
        return Shape(
            rate_hz=profile.mel.rate_hz,
            frame_samples=profile.column_samples,
            chunk_frames=profile.chunk_columns,
            index_bits=profile.tokenizer.index_bits,
            codewords=profile.tokenizer.codewords,
            encode=Reach(self.tokenizer.encoder.before + window_columns, window_columns),
            decode=self.decode_reach({}),
            rows=rows,
            kind="column",
            rows_sent=(rows,),
        )

    def decode_reach(self, options: Options) -> Reach:
        sounding = self._sounding_reach
        return Reach(self.tokenizer.decoder.before + sounding.before, sounding.after)

    @property
    def _sounding_reach(self) -> Reach:
        """Columns of the decoded mel that pitch and vocoder need around those to be heard."""
        if isinstance(self.vocoder, HifiganVocoder):
            return Reach.around(self._columns(self.vocoder.context_frames))
        assert self.pitch is not None
        before = self._columns(self.vocoder.frames_before + self.pitch.context_frames)
        return Reach(before, self._columns(self.vocoder.frames_after))

    def _columns(self, frames: int) -> int:
        return -(-frames // self.profile.tokenizer.side)

    @torch.inference_mode()
    def encode(
        self,
        audio: Sequence[Audio],
        spans: Sequence[Span],
        options: Options,
        sent: Sequence[int | None] | None = None,
    ) -> list[Codes]:
        """Code each row of samples, in float32: a coarser encoder would pick other codewords."""
        rows = padded(audio, self.device)
        effort = options.get("effort", self.options[0].default)
        if effort > 1:
            unit = self.profile.column_samples
            found = [
                self._searched(row[: span.total * unit], span, effort)
                for row, span in zip(rows, spans, strict=True)
            ]
        else:
            found = list(self.tokenizer.encode(self.mel(rows)))
        return [
            Codes(row[span.kept_slice].cpu().numpy(), None) for row, span in zip(found, spans, strict=True)
        ]

    def _searched(self, audio: Tensor, span: Span, effort: int) -> Tensor:
        """Choose the indices (column, row) of a span by ear.  audio (sample,)."""
        tokenizer, reach = self.tokenizer, self.decode_reach({})

        def sound(points: Tensor, piece: Span) -> Tensor:
            mel = tokenizer.restore(tokenizer.decoder(points))
            return self._sound(mel, [piece.scaled(self.profile.tokenizer.side)])

        latent = tokenizer.encoder(tokenizer.standardise(self.mel(audio[None])))
        pieces = span.pieces(SEARCHED, reach.before, reach.after)
        return chosen_in_pieces(latent, tokenizer.choice, sound, self.ear, audio, span, pieces, effort, STEP)

    @torch.inference_mode()
    def decode(self, codes: Sequence[Codes], spans: Sequence[Span], options: Options) -> list[Audio]:
        side, hop = self.profile.tokenizer.side, self.profile.mel.hop_samples
        indices = padded([each.indices for each in codes], self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            mel = self.column_mel(indices)
            reach = self._sounding_reach.before
            near = [dataclasses.replace(span, before=min(span.before, reach)) for span in spans]
            frames = [span.scaled(side) for span in near]
            mel = narrowed_rows(mel, [span.scaled(side) for span in spans], frames)
            audio = self._sound(mel, frames).float().cpu()
        return [row[span.scaled(hop).kept_slice].numpy() for row, span in zip(audio, frames, strict=True)]

    def column_mel(self, indices: Tensor, memory: Memory | None = None) -> Tensor:
        """Indices (batch, column, row) -> log-mel (batch, frame, band), silent where columns were lost."""
        mel = self.tokenizer.decode(indices, memory).float()
        absent = (indices < 0).any(-1).repeat_interleave(self.profile.tokenizer.side, 1).unsqueeze(-1)
        return mel.masked_fill(absent, self.mel.silence)

    def _sound(self, mel: Tensor, spans: Sequence[Span]) -> Tensor:
        """Log-mel of the frames of the spans -> audio (batch, frame * hop)."""
        inside = inside_of(spans, self.device)
        if isinstance(self.vocoder, HifiganVocoder):
            return self.vocoder(mel, inside)
        assert self.pitch is not None
        pitch_hz, voicing = self.pitch(mel)
        config = self.profile.mel
        phase = chunk_phase(cycles_per_frame(pitch_hz, config.rate_hz, config.hop_samples), spans)
        return self.vocoder(mel, pitch_hz, voicing, phase, frame_numbers(spans, self.device), inside)

    @property
    def latency_samples(self) -> int | None:
        """How much later a sample comes out than it went in; None with HiFi-GAN, which looks ahead.

        The column's last windows reach beyond it by half an overlap, and so do the frames into its last samples.
        """
        if isinstance(self.vocoder, HifiganVocoder):
            return None
        ahead = (self.profile.mel.fft_samples - self.profile.mel.hop_samples) // 2
        return ahead + self.profile.column_samples + self.vocoder.margin

    live_options: Sequence[Option] = ()  # its search by ear needs what follows

    @property
    def live_rates_hz(self) -> Sequence[int]:
        return (self.profile.mel.rate_hz,)

    def at_rate(self, rate_hz: int) -> Patch:
        return self

    def open_encoder(self, rows: int, options: Options) -> PatchSender:
        return PatchSender(self)

    def open_decoder(self) -> PatchReceiver:
        return PatchReceiver(self)

    def parts(self, options: Options) -> Mapping[str, nn.Module]:
        parts = {
            "mel": self.mel,
            "encoder": self.tokenizer.encoder,
            "quantiser": self.tokenizer.quantiser,
            "decoder": self.tokenizer.decoder,
            "pitch": self.pitch,
            "vocoder": self.vocoder,
        }
        return {name: part for name, part in parts.items() if part is not None}


def vocoder_for(profile: Profile) -> PatchVocoder | HifiganVocoder:
    config = profile.vocoder
    if config.name == "hifigan":
        return HifiganVocoder(
            profile.mel.bands, config.upsample_strides, config.upsample_kernels, config.upsample_width
        )
    return PatchVocoder(profile.mel, profile.tokenizer.side, config)
