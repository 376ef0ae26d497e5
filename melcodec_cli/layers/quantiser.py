"""Vector quantiser: one codebook, searched by cosine in a few dimensions, kept alive by online clustering."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

TOKENS_AT_ONCE = 2000  # more would only take more memory


class Quantiser(nn.Module):
    usage: Tensor

    def __init__(self, width: int, codewords: int, lookup_width: int) -> None:
        super().__init__()
        self.project_in = nn.Linear(width, lookup_width)
        self.codebook = nn.Parameter(torch.empty(codewords, lookup_width))
        widest = (3 / lookup_width) ** 0.5
        nn.init.uniform_(self.codebook, -widest, widest)  # about as long as the vectors that are looked up
        # Not 1/K: the codebook would collapse before the first revival.
        self.register_buffer("usage", torch.zeros(codewords))

    def nearest(self, x: Tensor, count: int) -> Tensor:
        """(batch, token, width) -> indices (batch, token, count), nearest first.

        Computed in float32: an index must not depend on bfloat16 rounding."""
        with torch.autocast(x.device.type, enabled=False):
            points = normalize(self.project_in(x.float()), dim=-1)
            codebook = normalize(self.codebook, dim=-1).T
            parts = points.split(TOKENS_AT_ONCE, 1)
            return torch.cat([(part @ codebook).topk(count, -1).indices for part in parts], 1)

    def lookup(self, indices: Tensor) -> Tensor:
        """(batch, token), -1 for lost tokens, which become zeros -> (batch, token, lookup_width)."""
        points = normalize(self.codebook, dim=-1)[indices.clamp(min=0)]
        return points * (indices >= 0).unsqueeze(-1)

    def forward(
        self, x: Tensor, indices: Tensor | None = None, commitment: float = 0.25
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(batch, token, width) and the indices (batch, token) to use, the nearest if None
        -> straight-through points, indices, loss (codebook loss + commitment * commitment loss), encoder points."""
        with torch.autocast(x.device.type, enabled=False):
            points = normalize(self.project_in(x.float()), dim=-1)  # (batch, token, lookup)
            codebook = normalize(self.codebook, dim=-1)
            if indices is None:
                indices = (points.detach() @ codebook.detach().T).argmax(-1)
            chosen = codebook[indices]
            codebook_loss = (chosen - points.detach()).square().sum(-1).mean()
            commitment_loss = (chosen.detach() - points).square().sum(-1).mean()
            straight = points + (chosen - points).detach()
        return straight, indices, codebook_loss + commitment * commitment_loss, points

    @torch.no_grad()
    def count(self, share: Tensor, decay: float) -> None:
        """Update the running usage.  share (codewords,): the fraction of the batch's tokens that chose each."""
        self.usage.mul_(decay).add_(share, alpha=1 - decay)

    @torch.no_grad()
    def revive(self, anchors: Tensor, decay: float) -> None:
        """Online clustering: move rarely used codewords towards anchors (codewords, lookup), encoder outputs of the
        batch.  decay: that of the running usage."""
        pull = torch.exp(-10 * self.usage * len(self.usage) / (1 - decay) - 1e-3).unsqueeze(-1)
        self.codebook.lerp_(normalize(anchors, dim=-1), pull)
