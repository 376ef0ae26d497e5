"""The chain: audio to indices and back, in batches of chunks with context.

Everything after the mel has a finite receptive field, and every layer sees zeros outside the stream.  So a chunk with
that much context, or less at an end of the stream, gives the same result as the whole stream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from melcodec_cli.layers.excitation import chunk_phase, per_sample, pulse_train, voiced_share
from melcodec_cli.layers.hifigan import HifiganVocoder
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.noise import REFINER_KEY, VOCODER_KEY, frame_noise
from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.layers.rows import frame_numbers, inside_of, narrowed_rows, padded
from melcodec_cli.systems.fmel.coarse import coarse_copy
from melcodec_cli.systems.fmel.coder import Coder, MelDecoder
from melcodec_cli.systems.fmel.config import MAX_STEPS, Profile
from melcodec_cli.systems.fmel.contrast import Contrast
from melcodec_cli.systems.fmel.harmonic import HarmonicVocoder
from melcodec_cli.systems.fmel.phones import PhoneListener
from melcodec_cli.systems.fmel.refiner import FlowRefiner
from melcodec_cli.systems.fmel.search import IndexSearch, Judge
from melcodec_cli.systems.fmel.voicing import measured_voicing
from melcodec_cli.systems.networks import Networks
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Audio, Codes, Identity, Option, Options, Reach, Shape

MOST_EFFORT = 8


class Chain(Networks[Profile]):
    """The system fmel: a coder, refiner, pitch stage and vocoder, as set in the profile.

    Its frames are tokens, each of which covers several frames of the mel.
    """

    profile_class = Profile
    identity: ClassVar[Identity] = Identity(
        bitstream_parts=("coder.decoder.", "coder.quantiser.codebook", "coder.mean", "coder.deviation"),
        bitstream_settings=("mel", "coder", "timbre"),
        renderer_parts=("refiner.", "pitch.", "vocoder."),
        renderer_settings=("refiner", "pitch", "vocoder"),
        later_settings={
            "coder": {"encoder_frame_blocks": 0},
            "vocoder": {"hop_frames": 1, "noise_frames": 0, "noise_even": False},
        },
        unshipped=("coder.quantiser.usage",),  # the running usage that guides online clustering
    )
    suits = ("speech",)

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        bands = profile.mel.bands
        self.mel = LogMel(profile.mel)
        self.coder = Coder(profile.mel, profile.coder, profile.timbre)
        self.search = IndexSearch(profile, self.mel.filters)
        self.refiner = FlowRefiner(bands, profile.refiner) if profile.refiner else None
        self.pitch = Pitch(bands, profile.pitch) if profile.pitch else None
        self.phones = PhoneListener(bands, profile.phones) if profile.phones else None
        self.vocoder = vocoder_for(profile)
        self.contrast = Contrast(bands, profile.vocoder.contrast, self.mel.silence)
        self.eval().requires_grad_(False)

    @property
    def shape(self) -> Shape:
        profile = self.profile
        return Shape(
            rate_hz=profile.mel.rate_hz,
            frame_samples=profile.token_samples,
            chunk_frames=profile.chunk_tokens,
            index_bits=profile.coder.index_bits,
            codewords=profile.coder.codewords,
            # The encoder's field, plus a token for the mel's window.
            encode=Reach.around(self.coder.encoder.context_tokens + 1),
            decode=self.decode_reach({}),
            globals_count=profile.timbre.values if profile.timbre else 0,
            globals_bits=profile.timbre.bits if profile.timbre else 0,
        )

    @property
    def options(self) -> Sequence[Option]:
        effort = Option("effort", "encode", 1, MOST_EFFORT, min(MOST_EFFORT, self.profile.search.choices))
        if self.profile.refiner is None:
            return [effort]
        return [effort, Option("steps", "decode", 0, MAX_STEPS, self.profile.refiner.steps)]

    def decode_reach(self, options: Options) -> Reach:
        frames = self._vocoder_context_frames() + self._refiner_context_frames(self._steps(options))
        tokens = -(-frames // self.profile.coder.token_frames)
        return Reach.around(tokens + self.coder.decoder.context_tokens)

    def _steps(self, options: Options) -> int:
        return options.get("steps", self.profile.refiner.steps) if self.profile.refiner else 0

    def _vocoder_context_frames(self) -> int:
        frames = self.vocoder.context_frames + (self.pitch.context_frames if self.pitch else 0)
        hop = self.profile.vocoder.hop_frames  # its spectra start at multiples of this within a chunk
        return -(-frames // hop) * hop

    def _refiner_context_frames(self, steps: int) -> int:
        return steps * self.refiner.context_frames_per_step if self.refiner else 0

    # -- encoding

    @cached_property
    def _search_stages(self) -> tuple[MelDecoder, Pitch | None, PhoneListener | None]:
        """The stages with which the search tries out its choices."""
        phones = self.phones and coarse_copy(self.phones)
        return coarse_copy(self.coder.decoder), self.pitch and coarse_copy(self.pitch), phones

    @torch.inference_mode()
    def encode(
        self,
        audio: Sequence[Audio],
        spans: Sequence[Span],
        options: Options,
        sent: Sequence[int | None] | None = None,
    ) -> list[Codes]:
        """Code each row of samples.

        Everything except the trials of the search runs in float32: a coarser encoder would pick other codewords.
        """
        per_token = self.profile.coder.token_frames
        mel = self.mel(padded(audio, self.device))
        tokens = torch.arange(mel.shape[1] // per_token, device=self.device)
        begin, end = (
            torch.tensor(places, device=self.device).unsqueeze(1)
            for places in ([span.before for span in spans], [span.before + span.kept for span in spans])
        )
        inside = inside_of([span.scaled(per_token) for span in spans], self.device)
        count = min(options.get("effort") or self.profile.search.choices, self.profile.coder.codewords)
        nearest, globals_ = self.coder.choices(mel, (begin <= tokens) & (tokens < end), inside, count)
        indices = [row[span.kept_slice, 0] for row, span in zip(nearest, spans, strict=True)]
        if count > 1:
            # Rows of equal length and with the same borders are searched together: faster on a GPU.
            alike: dict[tuple[int, bool, bool], list[int]] = defaultdict(list)
            for row, span in enumerate(spans):
                alike[span.kept, span.before > 0, span.after > 0].append(row)
            for (_, *borders), rows in alike.items():
                found = self._searched(rows, audio, spans, mel, nearest, globals_, (borders[0], borders[1]))
                for row, found_indices in zip(rows, found, strict=True):
                    indices[row] = found_indices
        return [
            Codes(
                row.unsqueeze(1).cpu().numpy(), None if globals_ is None else globals_[number].cpu().numpy()
            )
            for number, row in enumerate(indices)
        ]

    def _searched(
        self,
        rows: Sequence[int],
        audio: Sequence[Audio],
        spans: Sequence[Span],
        mel: Tensor,
        nearest: Tensor,
        globals_: Tensor | None,
        borders: tuple[bool, bool],
    ) -> Tensor:
        """Better indices (row, token) for these rows, whose chunks are equally long."""
        per_token = self.profile.coder.token_frames
        frames = torch.stack([mel[row, spans[row].scaled(per_token).kept_slice] for row in rows])
        timbre = self.coder.looked_up(None if globals_ is None else globals_[list(rows)])
        return self.search(
            self.coder,
            self._search_stages[0],
            frames,
            self._judges([audio[row] for row in rows], [spans[row] for row in rows], frames),
            torch.stack([nearest[row, spans[row].kept_slice] for row in rows]),
            None if timbre is None else timbre.unsqueeze(1),
            borders,
        )

    def _judges(self, audio: Sequence[Audio], spans: Sequence[Span], mel: Tensor) -> list[Judge]:
        """What the stages that listen should hear in the chunks' decoded mels (batch, frame, ...)."""
        weight, judges = self.search.config, []
        _, pitch, phones = self._search_stages
        if self.pitch is not None and pitch is not None and weight.pitch:
            # The pitch that it hears in the original mels, but the voicing measured in the audio, which a mel does not
            # fully show.
            heard = self.pitch.heard(mel)[0], self._voicing(audio, spans)
            judges.append(Judge(pitch, heard, weight.pitch))
        if self.phones is not None and phones is not None and weight.phones:
            judges.append(Judge(phones, self.phones.heard(mel), weight.phones))
        return judges

    def _voicing(self, audio: Sequence[Audio], spans: Sequence[Span]) -> Tensor:
        """Measured in the audio of the chunks: (batch, frame)."""
        rate_hz, hop = self.profile.mel.rate_hz, self.profile.mel.hop_samples
        kept = []
        for row, span in zip(audio, spans, strict=True):
            samples = span.scaled(self.profile.token_samples)
            own = torch.from_numpy(row[: samples.total])
            voicing = measured_voicing(own, rate_hz, hop, samples.before - samples.first)
            kept.append(voicing[span.scaled(self.profile.coder.token_frames).kept_slice])
        return torch.stack(kept).to(self.device)

    # -- decoding

    @torch.inference_mode()
    def decode(self, codes: Sequence[Codes], spans: Sequence[Span], options: Options) -> list[Audio]:
        per_token, silence = self.profile.coder.token_frames, self.mel.silence
        steps = self._steps(options)
        indices = padded([each.indices[:, 0] for each in codes], self.device)
        globals_ = None
        if self.profile.timbre is not None:
            globals_ = padded([_given(each.globals_) for each in codes], self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            mel = self.coder.decode(indices, globals_, inside_of(spans, self.device)).float()
            absent = (indices < 0).repeat_interleave(per_token, 1).unsqueeze(-1)
            mel = mel.masked_fill(absent, silence)
            frames = [span.scaled(per_token) for span in spans]
            margin = self._vocoder_context_frames()
            refiner = self.refiner if steps > 0 else None
            if refiner is not None:
                wide = [span.narrowed(margin + self._refiner_context_frames(steps)) for span in frames]
                mel, absent = (narrowed_rows(x, frames, wide) for x in (mel, absent))
                noise = self._noise(REFINER_KEY, wide, mel.shape[2])
                mel = refiner(mel, noise, steps, inside_of(wide, self.device)).masked_fill(absent, silence)
                frames = wide
            near = [span.narrowed(margin) for span in frames]
            mel = narrowed_rows(mel, frames, near)
            audio = self._vocode(mel, near, contrast=refiner is None).float().cpu()
        hop = self.profile.mel.hop_samples
        return [row[span.scaled(hop).kept_slice].numpy() for row, span in zip(audio, near, strict=True)]

    def _vocode(self, mel: Tensor, spans: Sequence[Span], contrast: bool) -> Tensor:
        """Log-mel of the frames of the spans -> audio (batch, frame * hop)."""
        heard = self.contrast(mel, self.coder.mean) if contrast and self.contrast.amount != 1 else mel
        inside = inside_of(spans, self.device)
        if isinstance(self.vocoder, HifiganVocoder):
            return self.vocoder(heard, inside)
        assert self.pitch is not None
        rate_hz, hop = self.profile.mel.rate_hz, self.profile.mel.hop_samples
        pitch_hz, voicing = (held_pitch(values, spans) for values in self.pitch(mel, inside))
        sample_hz = per_sample(pitch_hz, hop)
        phase = chunk_phase(sample_hz, rate_hz, hop, [span.scaled(hop) for span in spans])
        pulses = pulse_train(phase, sample_hz, rate_hz) * voiced_share(voicing, hop)
        if self.vocoder.noise is None:
            noise = self._noise(VOCODER_KEY, spans, hop).flatten(1)
        else:
            noise = self.vocoder.looped(frame_numbers(spans, self.device))
        return self.vocoder(heard, pitch_hz, voicing, pulses, noise, inside)

    def _noise(self, key: int, spans: Sequence[Span], width: int) -> Tensor:
        """Noise for the frames of the spans, (batch, frame, width)."""
        return padded(
            [frame_noise(key, span.first - span.before, span.total, width) for span in spans], self.device
        )

    # -- parts

    def parts(self, options: Options) -> Mapping[str, nn.Module]:
        parts = {
            "mel": self.mel,
            "timbre": self.coder.timbre,
            "encoder": self.coder.encoder,
            "quantiser": self.coder.quantiser,
            "phones": self.phones if self.profile.search.phones else None,
            "search": self.search,
            "decoder": self.coder.decoder,
            "refiner": self.refiner if self._steps(options) else None,
            "pitch": self.pitch,
            "vocoder": self.vocoder,
        }
        return {name: part for name, part in parts.items() if part is not None}


def vocoder_for(profile: Profile) -> HarmonicVocoder | HifiganVocoder:
    config = profile.vocoder
    if config.name == "harmonic":
        return HarmonicVocoder(profile.mel, config)
    return HifiganVocoder(
        profile.mel.bands, config.upsample_strides, config.upsample_kernels, config.upsample_width
    )


def _given(globals_: np.ndarray | None) -> np.ndarray:
    assert globals_ is not None, "a profile with timbre needs timbre indices"
    return globals_


def held_pitch(values: Tensor, spans: Sequence[Span]) -> Tensor:
    """Repeat the last value of each span in the padding after it: (batch, frame)."""
    last = torch.tensor([span.total - 1 for span in spans], device=values.device).unsqueeze(1)
    frames = torch.arange(values.shape[1], device=values.device)
    return values.gather(1, torch.minimum(frames, last))
