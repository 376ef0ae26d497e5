"""Meltok: any sound at 44.1 kHz as patches of a log-mel, with an index for each, and a vocoder that hears the result.

Columns of patches are its frames.  All networks have a finite field and see zeros beyond both ends of a stream, so a
chunk with enough context on either side gives the same result as the whole stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from melcodec_cli.layers.by_ear import Ear, chosen_in_pieces
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.rows import frame_numbers, inside_of, narrowed_rows, padded
from melcodec_cli.layers.tokenizer import Tokenizer, patch_tokenizer
from melcodec_cli.systems.meltok.config import Profile
from melcodec_cli.systems.meltok.line import line_tokenizer
from melcodec_cli.systems.meltok.vocoder import AHEAD, TokenEar, Vocoder
from melcodec_cli.systems.networks import Networks
from melcodec_cli.systems.registry import LATER_OPTIONS
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Audio, Codes, Identity, Option, Options, Reach, Shape

STEP = 0.3  # of the search by ear, in deviations of the latents
SEARCHED = 100  # columns in memory at once


class Meltok(Networks[Profile]):
    profile_class = Profile
    identity: ClassVar[Identity] = Identity(
        bitstream_parts=(
            "tokenizer.decoder.",
            "tokenizer.quantiser.codebook",
            "tokenizer.mean",
            "tokenizer.deviation",
        ),
        bitstream_settings=("mel", "tokenizer"),
        renderer_parts=("vocoder.",),
        renderer_settings=("vocoder",),
        later_settings={"vocoder": {"rounds": 0}},
        unshipped=("tokenizer.quantiser.usage",),  # the running usage that guides online clustering
    )
    suits = ("speech", "music", "sound")
    options: Sequence[Option] = LATER_OPTIONS["meltok"]

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.mel = LogMel(profile.mel)
        self.tokenizer = tokenizer_for(profile)
        self.vocoder = Vocoder(profile)
        # What a listener notices of speech is another matter in crackling fire, which would fade.
        self.ear = Ear(profile.mel.rate_hz, profile.mel.high_hz, profile.column_samples, speech=False)
        self.eval().requires_grad_(False)

    @property
    def shape(self) -> Shape:
        profile, encoder = self.profile, self.tokenizer.encoder
        window_columns = -(-self.mel.context_frames // profile.tokenizer.side)
        return Shape(
            rate_hz=profile.mel.rate_hz,
            frame_samples=profile.column_samples,
            chunk_frames=profile.chunk_columns,
            index_bits=profile.tokenizer.index_bits,
            codewords=profile.tokenizer.codewords,
            encode=Reach(encoder.before + window_columns, encoder.ahead + window_columns),
            decode=self.decode_reach({}),
            rows=profile.rows,
            kind="column",
            rows_sent=(profile.rows,),
        )

    def decode_reach(self, options: Options) -> Reach:
        decoder = self.tokenizer.decoder
        return Reach(decoder.before + self._sounding_columns, decoder.ahead + self._sounding_columns)

    @property
    def _sounding_columns(self) -> int:
        """Columns that the vocoder needs on either side of those to be heard."""
        return -(
            -self.vocoder.context_frames * self.profile.vocoder.hop_frames // self.profile.tokenizer.side
        )

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
            found = list(self.tokenizer.encode(self.mel(rows), inside=inside_of(spans, self.device)))
        return [
            Codes(row[span.kept_slice].cpu().numpy(), None) for row, span in zip(found, spans, strict=True)
        ]

    def _searched(self, audio: Tensor, span: Span, effort: int) -> Tensor:
        """Choose the indices (column, row) of a span by ear.  audio (sample,)."""
        tokenizer, reach = self.tokenizer, self.decode_reach({})
        per_column = self.profile.tokenizer.side // self.profile.vocoder.hop_frames

        def sound(points: Tensor, piece: Span) -> Tensor:
            return self.vocoder(self.heard(points), frame_numbers([piece.scaled(per_column)], self.device))

        latent = tokenizer.encoder(tokenizer.standardise(self.mel(audio[None])))
        pieces = span.pieces(SEARCHED, reach.before, reach.after)
        return chosen_in_pieces(latent, tokenizer.choice, sound, self.ear, audio, span, pieces, effort, STEP)

    @torch.inference_mode()
    def decode(self, codes: Sequence[Codes], spans: Sequence[Span], options: Options) -> list[Audio]:
        """Where columns were lost, there is silence."""
        side, hop_frames = self.profile.tokenizer.side, self.profile.vocoder.hop_frames
        indices = padded([each.indices for each in codes], self.device)
        sounding = (indices >= 0).all(-1, keepdim=True)  # (batch, column, 1)
        if (inside := inside_of(spans, self.device)) is not None:
            sounding = sounding & inside
        near = [span.narrowed(self._sounding_columns) for span in spans]
        per_column = side // hop_frames
        frames = [span.scaled(per_column) for span in near]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            heard = self.heard(self.tokenizer.points_of(indices), inside)
            heard = narrowed_rows(heard, [span.scaled(per_column) for span in spans], frames)
            sounding = narrowed_rows(sounding, spans, near).repeat_interleave(per_column, 1)
            audio = self.vocoder(heard, frame_numbers(frames, self.device), sounding).float().cpu()
        hop_samples = self.profile.vocoder_hop_samples
        return [
            row[span.scaled(hop_samples).kept_slice].numpy() for row, span in zip(audio, frames, strict=True)
        ]

    def heard(self, points: Tensor, inside: Tensor | None = None) -> Tensor:
        """Codewords (batch, column, row, lookup) -> what the vocoder's ear makes of them (batch, frame, width)."""
        ear = self.vocoder.ear
        if isinstance(ear, TokenEar):
            return ear(points, ear.decoder.features(points, inside=inside))
        return ear(self.tokenizer.decoder(points, inside=inside))

    def parts(self, options: Options) -> Mapping[str, nn.Module]:
        return {
            "mel": self.mel,
            "encoder": self.tokenizer.encoder,
            "quantiser": self.tokenizer.quantiser,
            "decoder": self.tokenizer.decoder,
            "vocoder": self.vocoder,
        }

    def bounds(self) -> Mapping[str, float]:
        return self.vocoder.bounds()


def tokenizer_for(profile: Profile) -> Tokenizer:
    bands, config = profile.mel.bands, profile.tokenizer
    if config.structure == "line":
        return line_tokenizer(bands, config)
    return patch_tokenizer(bands, config, config.attention, AHEAD)
