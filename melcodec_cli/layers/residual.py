"""Residual vector quantiser: each stage codes what those before it left over, so that any number of them may be sent.

Every stage looks up the nearest codeword in a few dimensions of its own and is kept alive by online clustering, as in
quantiser.py.  There a codeword is only a direction; here its length counts, too: what is left over grows smaller, and
while a network is young its points differ in hardly anything but length.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

AT_ONCE = 256  # points that are compared with all codewords
GROUP = 64  # codewords
FOLLOWED = 0.3  # share of a batch in the running statistics


class Quantised(NamedTuple):
    latent: Tensor  # (batch, frame, width), straight-through
    indices: Tensor  # (batch, frame, stage)
    points: Tensor  # (stage, batch, frame, lookup): what each stage looked up, normalised
    codebook_loss: (
        Tensor  # pulls the codewords towards these points; mean of the stages, 0 without gradients ...
    )
    commitment_loss: Tensor  # ... and the points towards the codewords


class Columns(NamedTuple):
    """What points are compared with."""

    codewords: Tensor  # (stage, lookup, codeword)
    biases: Tensor  # (stage, codeword): minus half of their squared lengths


class ResidualQuantiser(nn.Module):
    usage: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, stages: int, codewords: int, lookup_width: int) -> None:
        super().__init__()
        self.width = width
        self.project_in = nn.ModuleList(nn.Linear(width, lookup_width) for _ in range(stages))
        self.project_out = nn.ModuleList(nn.Linear(lookup_width, width) for _ in range(stages))
        self.codebooks = nn.Parameter(torch.empty(stages, codewords, lookup_width))
        widest = (3 / lookup_width) ** 0.5
        nn.init.uniform_(self.codebooks, -widest, widest)  # about as long as 1
        # The running usage of the codewords. Not 1/K: a codebook would collapse before the first revival.
        self.register_buffer("usage", torch.zeros(stages, codewords))
        # Of what each stage looks up, which is normalised: otherwise all points lie in one direction, and the encoder
        # moves and stretches them faster than the codewords can follow.
        self.register_buffer("mean", torch.zeros(stages, lookup_width))
        self.register_buffer("variance", torch.ones(stages, lookup_width))

    @property
    def stages(self) -> int:
        return len(self.codebooks)

    def columns(self) -> Columns:
        codewords = self.codebooks.detach().transpose(1, 2).contiguous()
        return Columns(codewords, -codewords.square().sum(1) / 2)

    def forward(
        self,
        x: Tensor,
        sent: Tensor | None = None,
        columns: Columns | None = None,
        plain: Tensor | None = None,
    ) -> Quantised:
        """x (batch, frame, width); sent (batch,): how many stages go into each row's latent, None for all.

        plain (batch,): rows of which each stage passes on the points as they are, for a young network to learn from.
        columns: as above, from callers that would otherwise have them computed again and again.

        All stages are looked up and have their losses.  Computed in float32: an index must not depend on bfloat16
        rounding.
        """
        with torch.autocast(x.device.type, enabled=False):
            left = x.float()
            latent, indices, points = torch.zeros_like(left), [], []
            codebook_loss = commitment_loss = left.new_zeros(())
            codewords, biases = self.columns() if columns is None else columns
            for stage, codebook in enumerate(self.codebooks):
                point = self.project_in[stage](left)  # (batch, frame, lookup)
                point = self._normalised(stage, point)
                index = nearest(point.flatten(0, 1), codewords[stage], biases[stage]).view(point.shape[:2])
                chosen = nn.functional.embedding(index, codebook)
                if torch.is_grad_enabled():
                    codebook_loss = codebook_loss + (chosen - point.detach()).square().sum(-1).mean()
                    commitment_loss = commitment_loss + (chosen.detach() - point).square().sum(-1).mean()
                passed = point + (chosen - point).detach()
                if plain is not None:
                    passed = torch.where(plain[:, None, None], point, passed)
                part = self.project_out[stage](passed)
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

    def unquantised(self, x: Tensor) -> Tensor:
        """x (batch, frame, width) -> the latents if indices cost nothing: without what the networks take away."""
        return self(x, plain=torch.ones(len(x), dtype=torch.bool, device=x.device)).latent

    def alternatives(self, x: Tensor, count: int, columns: Columns) -> Tensor:
        """x (row, width) -> indices (row, branch, stage): from each of the `count` codewords that are nearest in the
        first stage, nearest first, and the nearest codewords for what these leave over."""
        left = x.float().unsqueeze(1)  # (row, branch, width)
        indices = []
        for stage, codebook in enumerate(self.codebooks):
            point = self._normalised(stage, self.project_in[stage](left))
            codewords, bias = columns.codewords[stage], columns.biases[stage]
            if stage == 0:
                index = torch.addmm(bias, point[:, 0], codewords).topk(count).indices
            else:
                index = nearest(point.flatten(0, 1), codewords, bias).view(point.shape[:2])
            left = left - self.project_out[stage](nn.functional.embedding(index, codebook))
            indices.append(index)
        return torch.stack(indices, -1)

    def _normalised(self, stage: int, point: Tensor) -> Tensor:
        """(batch, frame, lookup), by the statistics of the batch in training and by those of all batches after it."""
        statistics = self.mean[stage], self.variance[stage]
        flat = nn.functional.batch_norm(
            point.flatten(0, 1), *statistics, training=self.training, momentum=FOLLOWED, eps=1e-8
        )
        return flat.view_as(point)

    def lookup(self, indices: Tensor) -> Tensor:
        """(batch, frame, stage), -1 for what was lost or not sent and adds nothing -> latents (batch, frame, width)."""
        latent = self.codebooks.new_zeros(*indices.shape[:2], self.width)
        for stage, codebook in enumerate(self.codebooks[: indices.shape[2]]):
            index = indices[:, :, stage]
            part = self.project_out[stage](codebook[index.clamp(min=0)])
            latent = latent + part * (index >= 0).unsqueeze(-1)
        return latent

    def shares(self, indices: Tensor) -> Tensor:
        """The share of frames (batch, frame, stage) that chose each codeword: (stage, codeword)."""
        codewords = self.usage.shape[1]
        flat = indices.flatten(0, 1)
        counts = [torch.bincount(index, minlength=codewords) for index in flat.unbind(-1)]
        return torch.stack(counts).float() / len(flat)

    def anchors(self, points: Tensor) -> Tensor:
        """A random point of the batch (stage, batch, frame, lookup) for each codeword: (stage, codeword, lookup)."""
        flat = points.flatten(1, 2)
        return flat[:, torch.randint(flat.shape[1], (self.usage.shape[1],), device=flat.device)]

    @torch.no_grad()
    def count(self, shares: Tensor, decay: float) -> None:
        """Update the running usage."""
        self.usage.mul_(decay).add_(shares, alpha=1 - decay)

    @torch.no_grad()
    def revive(self, anchors: Tensor, decay: float) -> None:
        """Online clustering: move rarely used codewords towards their anchors.  decay: that of the running usage."""
        pull = torch.exp(-10 * self.usage * self.usage.shape[1] / (1 - decay) - 1e-3).unsqueeze(-1)
        self.codebooks.lerp_(anchors, pull)


@torch.no_grad()
def nearest(points: Tensor, codewords: Tensor, biases: Tensor) -> Tensor:
    """The codeword (lookup, codeword) nearest to each point (point, lookup): the largest product less half its square.

    A few points at a time, so that their likenesses stay in a processor's cache, and by groups of codewords, as
    maxima are found much faster than their places.
    """
    group = math.gcd(len(biases), GROUP)
    likeness = points.new_empty(min(len(points), AT_ONCE), len(biases))
    found = []
    for some in points.split(AT_ONCE):
        grouped = torch.addmm(biases, some, codewords, out=likeness[: len(some)]).view(len(some), -1, group)
        best = grouped.amax(-1).argmax(-1)
        within = grouped[torch.arange(len(some), device=points.device), best].argmax(-1)
        found.append(best * group + within)
    return torch.cat(found)
