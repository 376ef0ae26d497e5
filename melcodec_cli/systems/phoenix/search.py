"""Analysis by synthesis for a whole recording: what it sounds like decides what is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from melcodec_cli.layers.by_ear import Ear, chosen
from melcodec_cli.layers.memory import Memory
from melcodec_cli.systems.phoenix.codec import Codec
from melcodec_cli.systems.phoenix.config import HIGH_HZ, Profile
from melcodec_cli.systems.phoenix.trials import Trials
from melcodec_cli.systems.span import Span

STEP = 0.6  # of a move, in deviations of the latents
AS_LIVE = 2  # the effort of a live stream unless another is asked for; up to it, a file is searched in the same way ...
FEW = 3  # ... and with any effort if at most one row in so many is sent: measured to be better then
# Frames of a stretch that is searched, those before it from which the recurrent layers start, and stretches at once.
SEARCHED, BEFORE, TOGETHER = 80, 32, 6


class Search(nn.Module):
    """Chooses indices for what they sound like: frame by frame, or with all that follows in view."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.hop_samples = profile.hop_samples
        self.ear = Ear(profile.rate_hz, HIGH_HZ, profile.hop_samples)
        self.trials = Trials(profile)

    def forward(
        self, codec: Codec, latents: Tensor, audio: Tensor, spectra: Tensor, effort: int, sent: int
    ) -> Tensor:
        """Latents (frame, width), audio (sample,) and spectra (frame, bin, value) -> indices (frame, row), for a
        decoder that gets `sent` rows."""
        one_by_one = effort <= AS_LIVE or FEW * sent <= codec.quantiser.stages
        if not (one_by_one and self.trials.suit(codec)):
            return self._moved(codec, latents, audio, effort, sent)
        columns = codec.quantiser.columns()
        return self.trials(codec, latents[None], spectra[:, None], effort, sent, columns, Memory())[0][0]

    def _moved(self, codec: Codec, latents: Tensor, audio: Tensor, effort: int, sent: int) -> Tensor:
        hop, quantiser = self.hop_samples, codec.quantiser
        after = -(-codec.decoder.ahead_samples // hop)
        columns, stages = quantiser.columns(), torch.tensor([sent], device=latents.device)

        def cut(x: Tensor, unit: int) -> Sequence[Tensor]:
            """(place, ...) -> stretches with what comes before and after them, a few at once:
            (stretch, place, ...)."""
            zeros = x.new_zeros((BEFORE + after) * unit + -len(x) % (SEARCHED * unit), *x.shape[1:])
            x = torch.cat([zeros[: BEFORE * unit], x, zeros[BEFORE * unit :]])
            stretches = x.unfold(0, (BEFORE + SEARCHED + after) * unit, SEARCHED * unit)
            return stretches.movedim(-1, 1).split(TOGETHER)

        def quantise(latent: Tensor) -> tuple[Tensor, Tensor]:
            found = quantiser(latent, stages, columns)
            return found.latent, found.indices

        def sound(stretches: Tensor) -> Tensor:
            return codec.decoder(stretches, spans=[Span(0, stretches.shape[1], 0)] * len(stretches))

        def differences(heard: Tensor) -> Iterator[Tensor]:
            left = len(latents)
            for stretches, beside_it in zip(cut(heard[0], 1), beside, strict=True):
                each = beside_it(sound(stretches))[:, BEFORE : BEFORE + SEARCHED].flatten()
                yield each[None, :left]
                left -= len(each)

        gain = self.ear.hearing.gain(audio[None])
        beside = [
            self.ear.beside(stretches, gain, sound(freely))
            for stretches, freely in zip(
                cut(audio, hop), cut(quantiser.unquantised(latents[None])[0], 1), strict=True
            )
        ]
        with torch.backends.cudnn.flags(
            enabled=False
        ):  # its recurrent layers have a gradient in training only
            return chosen(latents[None], quantise, differences, effort, STEP)[0]
