"""The system phoenix: speech in frames of 12 ms, at 1 to 6 kbit/s, with the delay of a telephone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melcodec_cli.layers.by_ear import Ear, chosen
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.residual import ResidualQuantiser
from melcodec_cli.layers.rows import padded
from melcodec_cli.systems.networks import Networks
from melcodec_cli.systems.phoenix.config import HIGH_HZ, RATES_HZ, Profile
from melcodec_cli.systems.phoenix.decoder import TimeDecoder
from melcodec_cli.systems.phoenix.encoder import Encoder
from melcodec_cli.systems.phoenix.harmonic import HarmonicDecoder
from melcodec_cli.systems.phoenix.istft import IstftDecoder
from melcodec_cli.systems.registry import LATER_OPTIONS
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import ABSENT, Audio, Codes, Identity, Option, Options, Reach, Shape

STEP = 0.6  # of the search by ear, in deviations of the latents
# Frames of a stretch that is searched, those before it from which the recurrent layers start, and stretches at once.
SEARCHED, SEARCHED_BEFORE, TOGETHER = 80, 32, 6

DECODERS: dict[str, type[TimeDecoder | IstftDecoder | HarmonicDecoder]] = {
    "time": TimeDecoder,
    "istft": IstftDecoder,
    "harmonic": HarmonicDecoder,
}


class Codec(nn.Module):
    """All networks, which are trained together."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        width, config = profile.encoder.channels[-1], profile.quantiser
        self.encoder = Encoder(profile)
        self.quantiser = ResidualQuantiser(width, config.stages, config.codewords, config.lookup_width)
        self.decoder: TimeDecoder | IstftDecoder | HarmonicDecoder = DECODERS[profile.decoder](profile, width)


class Phoenix(Networks[Profile]):
    """Chunks of a file are coded as if nothing had come before their context.

    The recurrent layers would remember all of the stream.  In a file they start from nothing `warmup_frames` before
    each chunk, so that a chunk can be decoded alone; in a session they never start anew.  For the same reason the
    pulses of a harmonic decoder begin each chunk of a file with the same phase.
    """

    profile_class = Profile
    identity: ClassVar[Identity] = Identity(
        bitstream_parts=("codec.quantiser.codebooks", "codec.quantiser.project_out."),
        bitstream_settings=("rate_hz", "hop_ms", "quantiser"),
        renderer_parts=("codec.decoder.",),
        renderer_settings=("warmup_frames", "decoder", "time", "istft", "harmonic", "pitch"),
        unshipped=("codec.quantiser.usage",),  # the running usage that guides online clustering
        later_settings={name: {"direct": False} for name in ("istft", "harmonic")},
    )
    suits = ("speech",)
    options: Sequence[Option] = LATER_OPTIONS["phoenix"]

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.codec = Codec(profile)
        self.ear = Ear(profile.rate_hz, HIGH_HZ, profile.hop_samples)
        self.eval().requires_grad_(False)

    @property
    def shape(self) -> Shape:
        profile, stages = self.profile, self.profile.quantiser.stages
        return Shape(
            rate_hz=profile.rate_hz,
            frame_samples=profile.hop_samples,
            chunk_frames=profile.chunk_frames,
            index_bits=profile.quantiser.index_bits,
            codewords=profile.quantiser.codewords,
            encode=Reach(profile.warmup_frames, 0),
            decode=self.decode_reach({}),
            rows=stages,
            kind="stages",
            rows_sent=tuple(range(1, stages + 1)),
        )

    @property
    def ahead_frames(self) -> int:
        """Frames after a stretch that its audio depends on."""
        return -(-self.codec.decoder.ahead_samples // self.profile.hop_samples)

    @property
    def latency_samples(self) -> int:
        """From a sample's arrival to its leaving in a live stream, without computing time: a frame, and what the
        decoder waits for."""
        return self.profile.hop_samples + self.codec.decoder.delay_samples

    def decode_reach(self, options: Options) -> Reach:
        return Reach(self.profile.warmup_frames, self.ahead_frames)

    @torch.inference_mode()
    def encode(
        self,
        audio: Sequence[Audio],
        spans: Sequence[Span],
        options: Options,
        sent: Sequence[int | None] | None = None,
    ) -> list[Codes]:
        hop = self.profile.hop_samples
        near = [Span(min(span.before, self.profile.warmup_frames), span.kept, 0) for span in spans]
        rows = [
            row[(span.before - new.before) * hop : (span.before + span.kept) * hop]
            for row, span, new in zip(audio, spans, near, strict=True)
        ]
        # What a row is padded with comes after it, so no frame of its own depends on it.
        heard = padded(rows, self.device)
        latents = self.codec.encoder(heard)
        effort = options.get("effort", self.options[0].default)
        if effort > 1:
            found = [
                self._searched(latent[: span.total], row[: span.total * hop], effort, stages)
                for latent, row, span, stages in zip(
                    latents, heard, near, sent or [None] * len(near), strict=True
                )
            ]
        else:
            found = list(self.codec.quantiser(latents).indices)
        return [
            Codes(row[span.kept_slice].cpu().numpy(), None) for row, span in zip(found, near, strict=True)
        ]

    def _searched(self, latent: Tensor, audio: Tensor, effort: int, sent: int | None) -> Tensor:
        """Choose the indices (frame, row) of a row by ear, for a decoder that gets so many of each frame.

        latent (frame, width), audio (sample,).
        """
        hop, quantiser = self.profile.hop_samples, self.codec.quantiser
        columns, stages = quantiser.columns(), torch.tensor([sent or quantiser.stages], device=self.device)

        def cut(x: Tensor, unit: int) -> Tensor:
            """(place, ...) -> stretches with what comes before them, (stretch, place, ...)."""
            before, after = SEARCHED_BEFORE * unit, self.ahead_frames * unit
            short = -len(x) % (SEARCHED * unit)
            zeros = x.new_zeros(before + short + after, *x.shape[1:])
            x = torch.cat([zeros[:before], x, zeros[before:]])
            return x.unfold(0, before + SEARCHED * unit + after, SEARCHED * unit).movedim(-1, 1)

        def quantise(latent: Tensor) -> tuple[Tensor, Tensor]:
            found = quantiser(latent, stages, columns)
            return found.latent, found.indices

        def sound(stretches: Tensor) -> Tensor:
            return self.codec.decoder(stretches, spans=[Span(0, stretches.shape[1], 0)] * len(stretches))

        def differences(heard: Tensor) -> Iterator[Tensor]:
            left = len(latent)
            for stretches, beside_it in zip(cut(heard[0], 1).split(TOGETHER), beside, strict=True):
                each = beside_it(sound(stretches))[:, SEARCHED_BEFORE : SEARCHED_BEFORE + SEARCHED].flatten()
                yield each[None, :left]
                left -= len(each)

        # What it would sound like if indices cost nothing: without the noise that the networks take away.
        plain = quantiser(latent[None], plain=torch.ones(1, dtype=torch.bool, device=self.device)).latent
        gain = self.ear.hearing.gain(audio[None])
        beside = [
            self.ear.beside(stretches, gain, sound(freely))
            for stretches, freely in zip(
                cut(audio, hop).split(TOGETHER), cut(plain[0], 1).split(TOGETHER), strict=True
            )
        ]
        with torch.backends.cudnn.flags(
            enabled=False
        ):  # its recurrent layers have a gradient in training only
            return chosen(latent[None], quantise, differences, effort, STEP)[0]

    @torch.inference_mode()
    def decode(self, codes: Sequence[Codes], spans: Sequence[Span], options: Options) -> list[Audio]:
        hop, reach = self.profile.hop_samples, self.decode_reach(options)
        near = [
            dataclasses.replace(
                span, before=min(span.before, reach.before), after=min(span.after, reach.after)
            )
            for span in spans
        ]
        indices = torch.full(
            (len(codes), max(span.before + span.kept for span in near) + reach.after, self.shape.rows), ABSENT
        )
        for row, each, span, new in zip(indices, codes, spans, near, strict=True):
            begin = span.before - new.before
            own = torch.from_numpy(each.indices[begin : begin + new.total])
            row[: len(own), : own.shape[1]] = own
        latents = self.codec.quantiser.lookup(indices.to(self.device))
        audio = self.codec.decoder(latents, spans=near).float().cpu()
        there = (indices >= 0).any(-1).repeat_interleave(hop, 1)
        audio = audio.masked_fill(~there, 0.0)  # a lost frame is silent
        return [row[span.scaled(hop).kept_slice].numpy() for row, span in zip(audio, near, strict=True)]

    def parts(self, options: Options) -> Mapping[str, nn.Module]:
        codec = self.codec
        return {"encoder": codec.encoder, "quantiser": codec.quantiser, "decoder": codec.decoder}

    @property
    def live_rates_hz(self) -> Sequence[int]:
        return RATES_HZ

    def at_rate(self, rate_hz: int) -> Phoenix:
        if rate_hz == self.profile.rate_hz:
            return self
        other = Phoenix(dataclasses.replace(self.profile, rate_hz=rate_hz))
        other.load_state_dict(self.state_dict())
        return other.to(self.device)

    def open_encoder(self, rows: int) -> EncoderSession:
        return EncoderSession(self, rows)

    def open_decoder(self) -> DecoderSession:
        return DecoderSession(self)


class EncoderSession:
    """Turns samples, as they arrive, into the indices of each frame that they complete."""

    def __init__(self, system: Phoenix, rows: int) -> None:
        self.system, self.rows = system, rows
        self.memory = Memory()
        self.held = np.zeros(0, np.float32)  # of an incomplete frame
        self.columns = system.codec.quantiser.columns()

    @torch.inference_mode()
    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        """(sample,) -> (frame, row)."""
        hop = self.system.profile.hop_samples
        joined = np.concatenate([self.held, data.astype(np.float32, copy=False)])
        whole = len(joined) // hop * hop
        self.held = joined[whole:].copy()
        if not whole:
            return np.zeros((0, self.rows), np.int64)
        codec = self.system.codec
        audio = torch.from_numpy(joined[None, :whole]).to(self.system.device)
        found = codec.quantiser(codec.encoder(audio, self.memory), columns=self.columns)
        return found.indices[0, :, : self.rows].cpu().numpy()

    def flush(self) -> NDArray[Any]:
        """The last frame, filled up with zeros, if one was begun."""
        return self.push(np.zeros(-len(self.held) % self.system.profile.hop_samples, np.float32))


class DecoderSession:
    """Turns frames of indices, as they arrive, into audio: later by the decoder's look-ahead, then frame by frame."""

    def __init__(self, system: Phoenix) -> None:
        self.system = system
        self.memory = Memory()
        self.due_samples = 0  # of the frames that came, what has not been returned

    @torch.inference_mode()
    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        """(frame, row), -1 for what was lost -> (sample,)."""
        codec = self.system.codec
        indices = torch.from_numpy(np.asarray(data, np.int64)[None]).to(self.system.device)
        audio: Tensor = codec.decoder(codec.quantiser.lookup(indices), self.memory)
        self.due_samples += len(data) * self.system.profile.hop_samples - audio.shape[1]
        return audio[0].float().cpu().numpy()

    def flush(self) -> NDArray[Any]:
        """What still waits for its future, which will not come."""
        due = self.due_samples
        nothing = np.full((self.system.ahead_frames, self.system.profile.quantiser.stages), ABSENT)
        return self.push(nothing)[:due]
