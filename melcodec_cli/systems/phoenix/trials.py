"""Analysis by synthesis, frame by frame: a live encoder hears what a few ways to code a frame would sound like.

It keeps what the decoder remembers, so that it can decode each of them as the decoder would, and sends the one whose
spectrum comes nearest.  So nothing has to wait for the frames that follow; a file can be searched with these in view,
too (layers/by_ear.py).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.by_ear import LOUDNESS, MUCH
from melcodec_cli.layers.mel import slaney_filters
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.layers.memory import Memory
from melcodec_cli.layers.residual import Columns
from melcodec_cli.systems.phoenix.codec import Codec
from melcodec_cli.systems.phoenix.config import CORE_HZ, HIGH_HZ, Profile
from melcodec_cli.systems.phoenix.harmonic import HarmonicDecoder

BANDS = 48
FAINTEST = 1e-12
TRIED = 6  # codings of a frame for each effort above 1


class Trials(nn.Module):
    """Chooses the indices of frames for a decoder that shapes spectra."""

    bands: Tensor  # (bin, band)

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        fft = profile.window_ms * CORE_HZ // 1000  # bins lie at the same frequencies at every rate
        filters = slaney_filters(MelConfig(CORE_HZ, fft, fft, fft, BANDS, high_hz=HIGH_HZ))
        self.register_buffer("bands", torch.from_numpy(filters[: profile.bins]), persistent=False)

    @staticmethod
    def suit(codec: Codec) -> bool:
        """Whether the decoder shapes spectra."""
        return isinstance(codec.decoder, HarmonicDecoder)

    def forward(
        self,
        codec: Codec,
        latents: Tensor,
        spectra: Tensor,
        effort: int,
        sent: int,
        columns: Columns,
        memory: Memory,
    ) -> tuple[Tensor, Memory]:
        """latents (row, frame, width) and spectra (frame, row, bin, value) of the original -> indices
        (row, frame, stage), and what the decoder remembers of them.

        effort: how many codings of a frame are tried, in sixes beside the nearest.  sent: stages that the decoder gets.
        """
        quantiser, decoder = codec.quantiser, codec.decoder
        assert isinstance(decoder, HarmonicDecoder)
        count = min(1 + TRIED * (effort - 1), columns.codewords.shape[-1])
        wanted = self.loudness(codec.encoder.spectrum.power(spectra)).transpose(0, 1)  # (row, frame, band)
        # What is loud in the original alone is noise, which the networks take away.
        plain, chosen = quantiser.unquantised(latents), []
        rows = torch.arange(len(latents), device=latents.device)
        for frame in range(latents.shape[1]):
            tried = quantiser.alternatives(latents[:, frame], count, columns)  # (row, branch, stage)
            heard = torch.cat([quantiser.lookup(tried[..., :sent]), plain[:, frame : frame + 1]], 1)
            branches = heard.shape[1]
            memory = memory.branched(len(rows), branches)
            [made] = decoder.spectra(heard.flatten(0, 1).unsqueeze(1), memory)
            loudness = self.loudness(made.abs().square()).unflatten(0, (-1, branches))
            target = torch.minimum(wanted[:, frame : frame + 1], MUCH * loudness[:, -1:])
            best = (loudness[:, :-1] - target).square().mean(-1).argmin(-1)
            memory = memory.followed(branches, best)
            chosen.append(tried[rows, best])
        return torch.stack(chosen, 1), memory

    def loudness(self, power: Tensor) -> Tensor:
        """(..., bin) -> (..., band)."""
        return (power @ self.bands + FAINTEST) ** (LOUDNESS / 2)
