"""Mel coder: log-mel frames to indices and back.

Most of the network runs at the token rate (25 Hz), where it costs little and sees far.  The published network has all
its blocks at the frame rate; settings allow this too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, FrameConv, Upsample, stretched, thinned
from melcodec_cli.layers.pointwise import Linear
from melcodec_cli.layers.quantiser import Quantiser
from melcodec_cli.systems.fmel.config import CoderConfig, MelConfig, TimbreConfig
from melcodec_cli.systems.fmel.timbre import TimbreEncoder


class MelEncoder(nn.Module):
    def __init__(self, bands: int, config: CoderConfig, condition: int) -> None:
        super().__init__()
        self.widen = FrameConv(bands, config.frame_width, 7) if config.encoder_frame_blocks else None
        self.frame_stack = BlockStack(config.frame_width, (1,) * config.encoder_frame_blocks, condition)
        self.halve = FrameConv(config.frame_width if self.widen else bands, config.half_width, 8, stride=2)
        self.half_stack = BlockStack(config.half_width, (1,) * config.encoder_half_blocks, condition)
        self.quarter = FrameConv(config.half_width, config.token_width, 4, stride=2)
        self.token_stack = BlockStack(config.token_width, (1,) * config.encoder_token_blocks, condition)
        self.norm = nn.LayerNorm(config.token_width)
        frame_context = self.frame_stack.context + 3 if self.widen else 0
        half_context = self.half_stack.context + 2
        self.context_tokens = self.token_stack.context + -(-(half_context * 2 + 4 + frame_context) // 4)

    def forward(self, mel: Tensor, timbre: Tensor | None, inside: Tensor | None = None) -> Tensor:
        """Standardised mel (batch, 4 * token, band) -> (batch, token, width); `inside` is at the mel's rate."""
        inside_half, inside_token = thinned(inside, 2), thinned(inside, 4)
        if self.widen is not None:
            mel = self.frame_stack(self.widen(mel, inside), timbre, inside)
        x = self.half_stack(self.halve(mel, inside), timbre, inside_half)
        return self.norm(self.token_stack(self.quarter(x, inside_half), timbre, inside_token))


class MelDecoder(nn.Module):
    def __init__(self, bands: int, config: CoderConfig, condition: int) -> None:
        super().__init__()
        self.widen = FrameConv(config.lookup_width, config.token_width, 3)
        self.token_stack = BlockStack(config.token_width, (1,) * config.decoder_token_blocks, condition)
        self.to_half = Upsample(config.token_width, config.half_width)
        self.half_stack = BlockStack(config.half_width, (1,) * config.decoder_half_blocks, condition)
        self.to_frames = Upsample(config.half_width, config.frame_width)
        self.frame_stack = BlockStack(config.frame_width, (1,) * config.decoder_frame_blocks, condition)
        self.norm = nn.LayerNorm(config.frame_width)
        self.head = Linear(config.frame_width, bands)
        frame_context = self.frame_stack.context + 2 * self.half_stack.context
        self.context_tokens = 1 + self.token_stack.context + -(-frame_context // 4)

    def forward(self, points: Tensor, timbre: Tensor | None, inside: Tensor | None = None) -> Tensor:
        """Codewords (batch, token, lookup), timbre (batch, token or 1, values) -> standardised mel."""
        x = self.token_stack(self.widen(points, inside), timbre, inside)
        x = self.half_stack(self.to_half(x), stretched(timbre, 2), stretched(inside, 2))
        x = self.frame_stack(self.to_frames(x), stretched(timbre, 4), stretched(inside, 4))
        return self.head(self.norm(x))


class Coder(nn.Module):
    """Encoder, quantiser and decoder, with the standardisation of their mel."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mel: MelConfig, config: CoderConfig, timbre: TimbreConfig | None) -> None:
        super().__init__()
        condition = timbre.values if timbre else 0
        self.register_buffer("mean", torch.zeros(mel.bands))
        self.register_buffer("deviation", torch.ones(mel.bands))
        self.timbre = TimbreEncoder(mel.bands, timbre) if timbre else None
        self.encoder = MelEncoder(mel.bands, config, condition)
        self.quantiser = Quantiser(config.token_width, config.codewords, config.lookup_width)
        self.decoder = MelDecoder(mel.bands, config, condition)

    def standardise(self, mel: Tensor) -> Tensor:
        return (mel - self.mean) / self.deviation

    def restore(self, standard: Tensor) -> Tensor:
        return standard * self.deviation + self.mean

    def encode(self, mel: Tensor, kept: Tensor, inside: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """mel (batch, 4 * token, band); kept (batch, token), true in the chunk whose timbre is taken.

        -> indices (batch, token), timbre indices (batch, values) or None
        """
        choices, globals_ = self.choices(mel, kept, inside, 1)
        return choices[..., 0], globals_

    def choices(
        self, mel: Tensor, kept: Tensor, inside: Tensor | None, count: int
    ) -> tuple[Tensor, Tensor | None]:
        """Like `encode`, but with the `count` nearest codewords for each token: (batch, token, count)."""
        standard = self.standardise(mel)
        globals_, timbre = None, None
        if self.timbre is not None:
            globals_ = self.timbre.quantise(self.timbre(standard, kept, inside))
            timbre = self.timbre.lookup(globals_).unsqueeze(1)
        return self.quantiser.nearest(self.encoder(standard, timbre, inside), count), globals_

    def looked_up(self, globals_: Tensor | None) -> Tensor | None:
        """Timbre indices -> timbre."""
        return None if self.timbre is None or globals_ is None else self.timbre.lookup(globals_)

    @torch.no_grad()
    def recoded(self, mel: Tensor) -> Tensor:
        """(batch, frame, band) -> the same after coding and decoding."""
        tokens = mel.shape[1] // 4
        indices, globals_ = self.encode(mel, mel.new_ones(len(mel), tokens))
        if globals_ is not None:
            globals_ = globals_.unsqueeze(1).expand(-1, tokens, -1)
        return self.decode(indices, globals_)

    def decode(self, indices: Tensor, globals_: Tensor | None, inside: Tensor | None = None) -> Tensor:
        """indices (batch, token), -1 absent; timbre indices of each token (batch, token, values) -> coarse log-mel."""
        timbre = self.looked_up(globals_)
        if timbre is not None:
            timbre = timbre * (indices >= 0).unsqueeze(-1)  # lost tokens have no timbre either
        return self.restore(self.decoder(self.quantiser.lookup(indices), timbre, inside))
