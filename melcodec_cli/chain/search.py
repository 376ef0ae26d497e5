"""Analysis by synthesis: indices by what the decoder makes of them.

The encoder names the nearest codewords of each token, but cannot hear how they sound among their neighbours.  So the
next nearest are tried in their place: all tokens of a phase at once, too far from one another to meet.  A token keeps
what brings the decoded mel nearer to the original, unless a neighbour's change gains more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, conv1d, max_pool1d

from melcodec_cli.chain.coder import Coder
from melcodec_cli.chain.envelope import EnvelopeSegments
from melcodec_cli.chain.profile import Profile

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
        self, coder: Coder, mel: Tensor, choices: Tensor, globals_: Tensor | None, borders: tuple[bool, bool]
    ) -> Tensor:
        """One chunk's log-mel (frame, band), codewords (token, choice), nearest first, and timbre indices (values,);
        whether it borders on others on either side -> indices (token,)."""
        if choices.shape[1] == 1:
            return choices[:, 0]
        count, phases = len(choices), self.config.phases
        tokens = torch.arange(count, device=mel.device)
        free = (tokens >= BORDER_TOKENS * borders[0]) & (tokens < count - BORDER_TOKENS * borders[1])
        timbre = None if coder.timbre is None or globals_ is None else coder.timbre.lookup(globals_)
        turns = tokens % phases == torch.arange(phases, device=mel.device).unsqueeze(1)  # (phase, token)
        standard, segments = coder.standardise(mel), self.envelope(mel.unsqueeze(0))

        def cost(rows: Tensor) -> Tensor:
            decoded = coder.decoder(
                coder.quantiser.lookup(rows), None if timbre is None else timbre.expand(len(rows), 1, -1)
            )
            return self._frames_cost(decoded - standard) + self._envelope_cost(
                coder.restore(decoded), segments, count
            )

        best = choices[:, 0]
        for other in choices[:, 1:].T:
            before = cost(best.unsqueeze(0))
            gain = torch.zeros_like(before)
            for group in turns.split(max(1, TOKENS_AT_ONCE // count)):
                gain += ((before - cost(torch.where(group, other, best))) * group).sum(0)
            gain = gain.masked_fill(~free, 0.0)
            better = (gain > 0) & (gain == max_pool1d(gain, 3, 1, 1))
            best = torch.where(better[0], other, best)
        return best

    def _frames_cost(self, error: Tensor) -> Tensor:
        """(row, frame, band), of standardised mels -> (row, token)."""
        change = error - nn.functional.pad(error, (0, 0, self.change_frames, 0))[:, : error.shape[1]]
        cost = error.abs() + SQUARED * error.square() + CHANGE * change.abs()
        tokens = avg_pool1d(cost.mean(-1).unsqueeze(1), self.token_frames) * self.token_frames
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
