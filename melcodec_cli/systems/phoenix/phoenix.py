"""The system phoenix: speech in frames of 12 ms, at 1 to 6 kbit/s, with the delay of a telephone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.rows import padded
from melcodec_cli.layers.threads import one_thread
from melcodec_cli.systems.networks import Networks
from melcodec_cli.systems.phoenix.codec import Codec
from melcodec_cli.systems.phoenix.config import RATES_HZ, Profile
from melcodec_cli.systems.phoenix.search import AS_LIVE, Search
from melcodec_cli.systems.registry import LATER_OPTIONS
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import ABSENT, Audio, Codes, Identity, Option, Options, Reach, Shape


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
        self.search = Search(profile)
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
        heard, effort = padded(rows, self.device), options.get("effort", self.options[0].default)
        latents = self.codec.encoder(heard)
        found = list(self.codec.quantiser(latents).indices)
        if effort > 1:
            spectra = self.codec.encoder.spectrum(heard)  # (frame, row, bin, value)
            for number, span in enumerate(near):
                own = latents[number, : span.total], heard[number, : span.total * hop]
                stages = (sent[number] if sent else None) or self.shape.rows
                found[number] = self.search(self.codec, *own, spectra[: span.total, number], effort, stages)
        return [
            Codes(row[span.kept_slice].cpu().numpy(), None) for row, span in zip(found, near, strict=True)
        ]

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

    @property
    def live_options(self) -> Sequence[Option]:
        return [Option("effort", "encode", 1, 8, AS_LIVE)] if self.search.trials.suit(self.codec) else []

    def open_encoder(self, rows: int, options: Options) -> EncoderSession:
        effort = options.get("effort", AS_LIVE if self.live_options else 1)
        return EncoderSession(self, rows, effort)

    def open_decoder(self) -> DecoderSession:
        return DecoderSession(self)


class EncoderSession:
    """Turns samples, as they arrive, into the indices of each frame that they complete."""

    def __init__(self, system: Phoenix, rows: int, effort: int) -> None:
        self.system, self.rows, self.effort = system, rows, effort
        # Of the encoder, of the spectra that trials compare with, and of the decoder.
        self.memory, self.seen, self.remembered = Memory(), Memory(), Memory()
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
        latents = codec.encoder(audio, self.memory)
        if self.effort == 1:
            found = codec.quantiser(latents, columns=self.columns).indices
        else:
            spectra = codec.encoder.spectrum(audio, self.seen)
            with one_thread():
                found, self.remembered = self.system.search.trials(
                    codec, latents, spectra, self.effort, self.rows, self.columns, self.remembered
                )
        return found[0, :, : self.rows].cpu().numpy()

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
