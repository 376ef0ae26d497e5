"""The chain: audio to indices and back, on batches of chunks with context.

Everything after the mel has a finite receptive field, and outside of the stream every layer sees zeros.  So a chunk
with as much context as there is, up to that field, gives what the whole would.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from melcodec_cli.layers.hifigan import HifiganVocoder
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.noise import REFINER_KEY, VOCODER_KEY, frame_noise
from melcodec_cli.systems.fmel.coarse import coarse_copy
from melcodec_cli.systems.fmel.coder import Coder, MelDecoder
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.contrast import Contrast
from melcodec_cli.systems.fmel.excitation import chunk_phase, per_sample, pulse_train, voiced_share
from melcodec_cli.systems.fmel.harmonic import HarmonicVocoder
from melcodec_cli.systems.fmel.pitch import Pitch
from melcodec_cli.systems.fmel.refiner import FlowRefiner
from melcodec_cli.systems.fmel.search import IndexSearch
from melcodec_cli.systems.fmel.voicing import measured_voicing
from melcodec_cli.systems.span import Span

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
        self.search = IndexSearch(profile, self.mel.filters)
        self.refiner = FlowRefiner(bands, profile.refiner) if profile.refiner else None
        self.pitch = Pitch(bands, profile.pitch) if profile.pitch else None
        self.vocoder = VOCODERS[profile.vocoder.name](profile.mel, profile.vocoder)
        self.contrast = Contrast(bands, profile.vocoder.contrast, self.mel.silence)
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

    def _vocoder_context_frames(self) -> int:
        frames = self.vocoder.context_frames + (self.pitch.context_frames if self.pitch else 0)
        hop = self.profile.vocoder.hop_frames  # from whose multiples, counted in chunks, its spectra come
        return -(-frames // hop) * hop

    def _refiner_context_frames(self, steps: int) -> int:
        return steps * self.refiner.context_frames_per_step if self.refiner else 0

    def decode_context_tokens(self, steps: int) -> int:
        """Tokens needed either side of a chunk."""
        frames = self._vocoder_context_frames() + self._refiner_context_frames(steps)
        return -(-frames // self.profile.coder.token_frames) + self.coder.decoder.context_tokens

    # -- encoding

    @cached_property
    def _search_stages(self) -> tuple[MelDecoder, Pitch | None]:
        """With which the search tries what it may choose."""
        return coarse_copy(self.coder.decoder), self.pitch and coarse_copy(self.pitch)

    @torch.inference_mode()
    def encode(
        self, audio: Tensor, first_tokens: Sequence[int], spans: Sequence[Span], choices: int | None = None
    ) -> list[tuple[Tensor, Tensor | None]]:
        """Audio (batch, samples), rows of the spans' tokens with encode_context_tokens on either side, or as many as
        the stream has -> indices (kept,) and global indices (values,) or None of each row.

        first_tokens: of the stream's, at which each chunk begins.
        choices: codewords that the search has for each token; as the profile says, when None.
        All but the search's trials is in float32: a coarser encoder would name other codewords."""
        mel = self.mel(audio.to(self.device))
        tokens = torch.arange(mel.shape[1] // self.profile.coder.token_frames, device=self.device)
        begin, end = (
            torch.tensor(places, device=self.device).unsqueeze(1)
            for places in ([span.before for span in spans], [span.before + span.kept for span in spans])
        )
        inside = self._inside([span.scaled(self.profile.coder.token_frames) for span in spans])
        count = min(choices or self.profile.search.choices, self.profile.coder.codewords)
        nearest, globals_ = self.coder.choices(mel, (begin <= tokens) & (tokens < end), inside, count)
        coded = []
        for row, (first_token, span) in enumerate(zip(first_tokens, spans, strict=True)):
            row_globals = None if globals_ is None else globals_[row]
            frames = mel[row, span.scaled(self.profile.coder.token_frames).kept_slice]
            indices = nearest[row, span.kept_slice, 0]
            if count > 1:
                timbre = self.coder.looked_up(row_globals)
                [indices] = self.search(
                    self.coder,
                    *self._search_stages,
                    frames[None],
                    self._heard(audio[row], first_token, span, frames),
                    nearest[row, span.kept_slice][None],
                    None if timbre is None else timbre[None, None],
                    (span.before > 0, span.after > 0),
                )
            coded.append((indices.cpu(), None if row_globals is None else row_globals.cpu()))
        return coded

    def _heard(
        self, audio: Tensor, first_token: int, span: Span, mel: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """What the pitch stage is to hear in a chunk's decoded mel (1, frame, ...): the height that it hears in the
        original, but voicing as it is in the audio, of which no mel says enough."""
        if self.pitch is None or not self.profile.search.pitch:
            return None
        rate_hz, hop, token_samples = (
            self.profile.mel.rate_hz,
            self.profile.mel.hop_samples,
            self.profile.token_samples,
        )
        own = audio[: span.scaled(token_samples).total]
        voicing = measured_voicing(own, rate_hz, hop, (span.before - first_token) * token_samples)
        kept = voicing[span.scaled(self.profile.coder.token_frames).kept_slice]
        return self.pitch.heard(mel[None])[0], kept[None].to(self.device)

    # -- decoding

    @torch.inference_mode()
    def decode(
        self,
        indices: Tensor,
        globals_: Tensor | None,
        first_frames: Sequence[int],
        spans: Sequence[Span],
        steps: int,
    ) -> list[Tensor]:
        """One chunk a row -> its audio (kept * token_samples,).

        indices (batch, token), rows of the spans' tokens with decode_context_tokens(steps) on either side, or as many
        as the stream has, -1 for those that were lost; globals_ (batch, token, values), of the chunk that each token
        belongs to; first_frames: absolute mel frame at which each chunk begins.
        """
        per_token, hop, silence = (
            self.profile.coder.token_frames,
            self.profile.mel.hop_samples,
            self.mel.silence,
        )
        indices = indices.to(self.device)
        globals_ = None if globals_ is None else globals_.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            mel = self.coder.decode(indices, globals_, self._inside(spans)).float()
            absent = (indices < 0).repeat_interleave(per_token, 1).unsqueeze(-1)
            mel = mel.masked_fill(absent, silence)
            frames = [span.scaled(per_token) for span in spans]
            margin = self._vocoder_context_frames()
            refiner = self.refiner if steps > 0 else None
            if refiner is not None:
                wide = [span.narrowed(margin + self._refiner_context_frames(steps)) for span in frames]
                mel, absent = (_narrow(x, frames, wide) for x in (mel, absent))
                noise = self._noise(REFINER_KEY, first_frames, wide, mel.shape[2])
                mel = refiner(mel, noise, steps, self._inside(wide)).masked_fill(absent, silence)
                frames = wide
            near = [span.narrowed(margin) for span in frames]
            mel = _narrow(mel, frames, near)
            audio = self._vocode(mel, first_frames, near, contrast=refiner is None).float().cpu()
        return [row[span.scaled(hop).kept_slice] for row, span in zip(audio, near, strict=True)]

    def _vocode(
        self, mel: Tensor, first_frames: Sequence[int], spans: Sequence[Span], contrast: bool
    ) -> Tensor:
        """Log-mel of the spans' frames -> audio (batch, frame * hop)."""
        heard = self.contrast(mel, self.coder.mean) if contrast and self.contrast.amount != 1 else mel
        rate_hz, hop, inside = self.profile.mel.rate_hz, self.profile.mel.hop_samples, self._inside(spans)
        if isinstance(self.vocoder, HifiganVocoder):
            return self.vocoder(heard, inside)
        assert self.pitch is not None
        pitch_hz, voicing = (held_pitch(values, spans) for values in self.pitch(mel, inside))
        sample_hz = per_sample(pitch_hz, hop)
        phase = chunk_phase(sample_hz, rate_hz, hop, [span.scaled(hop) for span in spans])
        pulses = pulse_train(phase, sample_hz, rate_hz) * voiced_share(voicing, hop)
        if self.vocoder.noise is None:
            noise = self._noise(VOCODER_KEY, first_frames, spans, hop).flatten(1)
        else:
            noise = self.vocoder.looped(self._frames(first_frames, spans))
        return self.vocoder(heard, pitch_hz, voicing, pulses, noise, inside)

    def _noise(self, key: int, first_frames: Sequence[int], spans: Sequence[Span], width: int) -> Tensor:
        """Of the spans' frames, (batch, frame, width)."""
        rows = [
            torch.from_numpy(frame_noise(key, first - span.before, span.total, width))
            for first, span in zip(first_frames, spans, strict=True)
        ]
        return pad_sequence(rows, batch_first=True).to(self.device)

    def _frames(self, first_frames: Sequence[int], spans: Sequence[Span]) -> Tensor:
        """Absolute numbers of the spans' frames, (batch, longest)."""
        begin = torch.tensor([first - span.before for first, span in zip(first_frames, spans, strict=True)])
        return (begin.unsqueeze(1) + torch.arange(max(span.total for span in spans))).to(self.device)

    def _inside(self, spans: Sequence[Span]) -> Tensor | None:
        """(batch, longest, 1), true within each span; None if none is shorter."""
        totals = torch.tensor([span.total for span in spans])
        if (totals == totals[0]).all():
            return None
        return (torch.arange(int(totals.max())) < totals.unsqueeze(1)).unsqueeze(-1).to(self.device)

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


def _narrow(x: Tensor, spans: Sequence[Span], narrower: Sequence[Span]) -> Tensor:
    """(batch, frame, ...) of the spans, cut to those of the narrower ones."""
    rows = []
    for row, span, new in zip(x, spans, narrower, strict=True):
        begin = span.before - new.before
        rows.append(row[begin : begin + new.total])
    return pad_sequence(rows, batch_first=True)


def held_pitch(values: Tensor, spans: Sequence[Span]) -> Tensor:
    """(batch, frame) with the last value of each span in all frames beyond it, of which a row alone knows nothing."""
    last = torch.tensor([span.total - 1 for span in spans], device=values.device).unsqueeze(1)
    frames = torch.arange(values.shape[1], device=values.device)
    return values.gather(1, torch.minimum(frames, last))
