"""Analysis by synthesis: choosing indices by what they decode to.

The encoder finds the nearest codeword of each token, but not how it sounds among its neighbours.  So the next nearest
codewords are tried instead: all tokens of a phase at once, which are too far apart to affect one another.  A token
keeps a codeword that brings the decoded mel nearer to the original, unless a neighbour's change gains more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, conv1d, max_pool1d

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.systems.fmel.coder import Coder, MelDecoder
from melcodec_cli.systems.fmel.config import Profile

# How much a token is heard in the frames of the tokens around it and in its own.
HEARD = (0.25, 0.75, 1.0, 1.0, 1.0, 0.75, 0.25)
# This many tokens stay as they are next to a border with another chunk, whose tokens are not known.
BORDER_TOKENS = 6
SQUARED, CHANGE = 0.5, 0.3  # weights relative to the absolute error, as in the coder's training
CHANGE_S = 0.01
TOKENS_AT_ONCE = 1200  # more would only take more memory


class Hearing(Protocol):
    """A stage that hears something in a log-mel."""

    def difference(self, mel: Tensor, heard: tuple[Tensor, Tensor]) -> Tensor:
        """Distance from what was heard in another mel: (row, step)."""


class Judge(NamedTuple):
    """A stage, what it should hear in the decoded mels (batch, ...), and the weight of the difference."""

    stage: Hearing
    heard: tuple[Tensor, Tensor]
    weight: float


class IndexSearch(nn.Module):
    def __init__(self, profile: Profile, filters: Tensor) -> None:
        """filters (bin, band): those of the mel."""
        super().__init__()
        self.config = profile.search
        self.token_frames = profile.coder.token_frames
        self.change_frames = max(1, round(CHANGE_S * profile.mel.frames_per_s))
        self.envelope = EnvelopeSegments(filters, profile.mel)

    def forward(
        self,
        coder: Coder,
        decoder: MelDecoder,
        mel: Tensor,
        judges: Sequence[Judge],
        choices: Tensor,
        timbre: Tensor | None,
        borders: tuple[bool, bool],
    ) -> Tensor:
        """Log-mel of chunks (batch, frame, band), codewords (batch, token, choice), nearest first, and timbre
        (batch, 1, values) -> indices (batch, token).

        decoder: the chain's own or a coarse copy.
        borders: whether another chunk comes before and after.
        """
        batch, count, _ = choices.shape
        best = choices[..., 0]
        tokens = torch.arange(count, device=mel.device)
        free = (tokens >= BORDER_TOKENS * borders[0]) & (tokens < count - BORDER_TOKENS * borders[1])
        turns = tokens % self.config.phases == torch.arange(self.config.phases, device=mel.device)[:, None]
        standard, segments = coder.standardise(mel), self.envelope(mel)
        kind = decoder.head.weight.dtype

        def cost(indices: Tensor) -> Tensor:
            """Cost of each token: (turn, batch, token) -> (turn, batch, token)."""

            def every(x: Tensor) -> Tensor:
                return x if batch == 1 else x.repeat(len(indices), *(1,) * (x.dim() - 1))

            points = coder.quantiser.lookup(indices.flatten(0, 1)).to(kind)
            decoded = decoder(points, None if timbre is None else every(timbre).to(kind)).float()
            restored = coder.restore(decoded)
            frames = self._distance(decoded - every(standard))
            for judge in judges:
                one, other = judge.heard
                lost = judge.stage.difference(restored, (every(one), every(other)))
                frames = frames + judge.weight * stretched_to(lost, frames.shape[1])
            envelopes = self._envelope_cost(restored, every(segments), count)
            return (self._per_token(frames) + envelopes).unflatten(0, (-1, batch))

        for other in choices[..., 1:].unbind(-1):
            before = cost(best.unsqueeze(0))[0]
            gain = torch.zeros_like(before)
            for group in turns.unsqueeze(1).split(max(1, TOKENS_AT_ONCE // (batch * count))):
                gain += ((before - cost(torch.where(group, other, best))) * group).sum(0)
            gain = gain.masked_fill(~free, 0.0)
            better = (gain > 0) & (gain == max_pool1d(gain, 3, 1, 1))
            best = torch.where(better, other, best)
        return best

    def _distance(self, error: Tensor) -> Tensor:
        """Distance from the error of standardised mels: (row, frame, band) -> (row, frame)."""
        earlier = nn.functional.pad(error, (0, 0, self.change_frames, 0))[:, : error.shape[1]]
        return (error.abs() + SQUARED * error.square() + CHANGE * (error - earlier).abs()).mean(-1)

    def _per_token(self, cost: Tensor) -> Tensor:
        """Cost of frames (row, frame) -> cost of the frames in which each token is heard (row, token)."""
        tokens = avg_pool1d(cost.unsqueeze(1), self.token_frames) * self.token_frames
        return conv1d(tokens, tokens.new_tensor([[HEARD]]), padding=len(HEARD) // 2).squeeze(1)

    def _envelope_cost(self, mel: Tensor, segments: Tensor, tokens: int) -> Tensor:
        """1 - correlation, summed over the segments that contain a token, each weighted by the frames of a step."""
        lost = 1 - EnvelopeSegments.correlation(self.envelope(mel), segments)  # (row, segment)
        return self.config.envelope * self.envelope.step * lost @ self._cover(lost.shape[1], tokens).to(lost)

    def _cover(self, segments: int, tokens: int) -> Tensor:
        """Matrix (segment, token), 1 where the middle of the token lies in the segment."""
        begin = torch.arange(segments).unsqueeze(1) * self.envelope.step
        middle = (torch.arange(tokens) + 0.5) * self.token_frames
        return ((middle > begin) & (middle < begin + self.envelope.span)).float()


def stretched_to(steps: Tensor, frames: int) -> Tensor:
    """Repeat the steps (row, step) of a stage that has fewer than there are frames; the last ones may have none."""
    stride = max(1, frames // steps.shape[1])
    return nn.functional.pad(steps.repeat_interleave(stride, 1), (0, frames - stride * steps.shape[1]))
