"""Analysis by synthesis: indices by what the decoder makes of them.

The encoder names the nearest codewords of each token, but cannot hear how they sound among their neighbours.  So the
next nearest are tried in their place: all tokens of a phase at once, too far from one another to meet.  A token keeps
what brings the decoded mel nearer to the original, unless a neighbour's change gains more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, conv1d, max_pool1d

from melcodec_cli.layers.envelope import EnvelopeSegments
from melcodec_cli.systems.fmel.coder import Coder, MelDecoder
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.pitch import Pitch

# Where a token is heard: in its own frames, and less in those of the tokens around.
HEARD = (0.25, 0.75, 1.0, 1.0, 1.0, 0.75, 0.25)
# Tokens beside an inner border of a chunk, whose neighbours on the other side are not known, stay as they are.
BORDER_TOKENS = 6
SQUARED, CHANGE = 0.5, 0.3  # weights beside that of the absolute error, as in the coder's training
CHANGE_S = 0.01
TOKENS_AT_ONCE = 1200  # more only fill the memory


class IndexSearch(nn.Module):
    def __init__(self, profile: Profile, filters: Tensor) -> None:
        """filters (bin, band): of the mel."""
        super().__init__()
        self.config = profile.search
        self.token_frames = profile.coder.token_frames
        self.change_frames = max(1, round(CHANGE_S * profile.mel.frames_per_s))
        self.envelope = EnvelopeSegments(filters, profile.mel)

    def forward(
        self,
        coder: Coder,
        decoder: MelDecoder,
        pitch: Pitch | None,
        mel: Tensor,
        heard: tuple[Tensor, Tensor] | None,
        choices: Tensor,
        timbre: Tensor | None,
        borders: tuple[bool, bool],
    ) -> Tensor:
        """Log-mel of chunks (batch, frame, band), codewords (batch, token, choice), nearest first, and timbre
        (batch, 1, values); whether the chunks border on others on either side -> indices (batch, token).

        heard: what the pitch stage is to hear: bins (batch, frame, bin) and voicing (batch, frame).
        decoder, pitch: the chain's own or, for one chunk, coarse copies."""
        batch, count, _ = choices.shape
        best = choices[..., 0]
        tokens = torch.arange(count, device=mel.device)
        free = (tokens >= BORDER_TOKENS * borders[0]) & (tokens < count - BORDER_TOKENS * borders[1])
        turns = tokens % self.config.phases == torch.arange(self.config.phases, device=mel.device)[:, None]
        standard, segments = coder.standardise(mel), self.envelope(mel)
        kind = decoder.head.weight.dtype

        def cost(indices: Tensor) -> Tensor:
            """(turn, batch, token) -> the same."""

            def every(x: Tensor) -> Tensor:
                return x if batch == 1 else x.repeat(len(indices), *(1,) * (x.dim() - 1))

            points = coder.quantiser.lookup(indices.flatten(0, 1)).to(kind)
            decoded = decoder(points, None if timbre is None else every(timbre).to(kind)).float()
            restored = coder.restore(decoded)
            frames = self._distance(decoded - every(standard))
            if pitch is not None and heard is not None and self.config.pitch:
                bins, voiced = heard
                frames = frames + self.config.pitch * pitch.difference(restored, (every(bins), every(voiced)))
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
        """(row, frame, band), of standardised mels -> (row, frame)."""
        earlier = nn.functional.pad(error, (0, 0, self.change_frames, 0))[:, : error.shape[1]]
        return (error.abs() + SQUARED * error.square() + CHANGE * (error - earlier).abs()).mean(-1)

    def _per_token(self, cost: Tensor) -> Tensor:
        """Of frames (row, frame) -> of the frames in which each token is heard (row, token)."""
        tokens = avg_pool1d(cost.unsqueeze(1), self.token_frames) * self.token_frames
        return conv1d(tokens, tokens.new_tensor([[HEARD]]), padding=len(HEARD) // 2).squeeze(1)

    def _envelope_cost(self, mel: Tensor, segments: Tensor, tokens: int) -> Tensor:
        """1 - correlation of all segments in which a token is heard, each for as many frames as lie before the next."""
        lost = 1 - EnvelopeSegments.correlation(self.envelope(mel), segments)  # (row, segment)
        return self.config.envelope * self.envelope.step * lost @ self._cover(lost.shape[1], tokens).to(lost)

    def _cover(self, segments: int, tokens: int) -> Tensor:
        """(segment, token), 1 where the token's middle lies in the segment."""
        begin = torch.arange(segments).unsqueeze(1) * self.envelope.step
        middle = (torch.arange(tokens) + 0.5) * self.token_frames
        return ((middle > begin) & (middle < begin + self.envelope.span)).float()
