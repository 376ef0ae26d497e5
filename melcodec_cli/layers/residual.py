"""Residual vector quantiser: each stage codes what those before it left over, so that any number of them may be sent.

Every stage looks up its codewords by cosine in a few dimensions of its own and is kept alive by online clustering, as
in quantiser.py.  There a codeword is only a direction; here it has a length too, as what is left over grows smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Quantised(NamedTuple):
    latent: Tensor  # (batch, frame, width), straight-through
    indices: Tensor  # (batch, frame, stage)
    points: Tensor  # (stage, batch, frame, lookup): what each stage looked up
    codebook_loss: Tensor  # pulls the codewords towards these points; mean of the stages ...
    commitment_loss: Tensor  # ... and the points towards the codewords


class ResidualQuantiser(nn.Module):
    usage: Tensor

    def __init__(self, width: int, stages: int, codewords: int, lookup_width: int) -> None:
        super().__init__()
        self.project_in = nn.ModuleList(nn.Linear(width, lookup_width) for _ in range(stages))
        self.project_out = nn.ModuleList(nn.Linear(lookup_width, width) for _ in range(stages))
        self.codebooks = nn.Parameter(torch.empty(stages, codewords, lookup_width))
        nn.init.normal_(self.codebooks, std=lookup_width**-0.5)  # of length 1, about
        # The running usage of the codewords. Not 1/K: a codebook would collapse before the first revival.
        self.register_buffer("usage", torch.zeros(stages, codewords))

    @property
    def stages(self) -> int:
        return len(self.codebooks)

    def forward(self, x: Tensor, sent: Tensor | None = None) -> Quantised:
        """x (batch, frame, width); sent (batch,): how many stages go into each row's latent, None for all.

        All stages are looked up and have their losses.  Computed in float32: an index must not depend on bfloat16
        rounding.
        """
        with torch.autocast(x.device.type, enabled=False):
            left = x.float()
            latent, indices, points = torch.zeros_like(left), [], []
            codebook_loss = commitment_loss = left.new_zeros(())
            for stage, codebook in enumerate(self.codebooks):
                point = self.project_in[stage](left)  # (batch, frame, lookup)
                index = self._nearest(point, codebook)
                chosen = nn.functional.embedding(index, codebook)
                codebook_loss = codebook_loss + (chosen - point.detach()).square().sum(-1).mean()
                commitment_loss = commitment_loss + (chosen.detach() - point).square().sum(-1).mean()
                part = self.project_out[stage](point + (chosen - point).detach())
                left = left - part
                latent = latent + (part if sent is None else part * (sent > stage)[:, None, None])
                indices.append(index)
                points.append(point.detach())
        return Quantised(
            latent,
            torch.stack(indices, -1),
            torch.stack(points),
            codebook_loss / self.stages,
            commitment_loss / self.stages,
        )

    @torch.no_grad()
    def _nearest(self, point: Tensor, codebook: Tensor) -> Tensor:
        """The codeword at the smallest angle; the length of the point changes nothing in the order."""
        return (point @ normalize(codebook, dim=-1).T).argmax(-1)

    def lookup(self, indices: Tensor) -> Tensor:
        """(batch, frame, stage), -1 for what was lost or not sent and adds nothing -> latents (batch, frame, width)."""
        latent = self.codebooks.new_zeros(*indices.shape[:2], self.project_out[0].out_features)
        for stage, codebook in enumerate(self.codebooks[: indices.shape[2]]):
            index = indices[:, :, stage]
            part = self.project_out[stage](codebook[index.clamp(min=0)])
            latent = latent + part * (index >= 0).unsqueeze(-1)
        return latent

    @torch.no_grad()
    def count(self, indices: Tensor, decay: float) -> None:
        """Update the running usage from the indices of a batch: (batch, frame, stage)."""
        for usage, index in zip(self.usage, indices.flatten(0, 1).unbind(-1), strict=True):
            share = torch.bincount(index, minlength=len(usage)) / len(index)
            usage.mul_(decay).add_(share, alpha=1 - decay)

    @torch.no_grad()
    def revive(self, points: Tensor, decay: float) -> None:
        """Online clustering: move rarely used codewords towards random points (stage, batch, frame, lookup) of the
        batch.  decay: that of the running usage."""
        flat = points.flatten(1, 2)
        anchors = flat[:, torch.randint(flat.shape[1], (self.codebooks.shape[1],), device=flat.device)]
        pull = torch.exp(-10 * self.usage * self.usage.shape[1] / (1 - decay) - 1e-3).unsqueeze(-1)
        self.codebooks.lerp_(anchors, pull)
