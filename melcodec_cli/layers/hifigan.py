"""HiFi-GAN generator (V1): log-mel to audio in the time domain.

It is larger and slower than the harmonic vocoder, but needs no pitch, and is at its best when trained with an adversary
on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from melcodec_cli.layers.blocks import masked

KERNELS = (3, 7, 11)
DILATIONS = (1, 3, 5)


class ResidualBranch(nn.Module):
    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(
            weight_norm(nn.Conv1d(width, width, kernel, dilation=d, padding=d * (kernel - 1) // 2))
            for d in DILATIONS
        )
        self.plain = nn.ModuleList(
            weight_norm(nn.Conv1d(width, width, kernel, padding=kernel // 2)) for _ in DILATIONS
        )
        self.context_samples = sum((d + 1) * (kernel - 1) // 2 for d in DILATIONS)

    def forward(self, x: Tensor, inside: Tensor | None = None) -> Tensor:
        """(batch, channel, sample); `inside` (batch, 1, sample)."""
        for dilated, plain in zip(self.dilated, self.plain, strict=True):
            y = dilated(masked(leaky_relu(x, 0.1), inside))
            x = x + plain(masked(leaky_relu(y, 0.1), inside))
        return x


class HifiganVocoder(nn.Module):
    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int, strides: Sequence[int], kernels: Sequence[int], width: int) -> None:
        """The product of the strides is the hop.  width: channels of the first layer, halved by each later one."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        self.first = weight_norm(nn.Conv1d(bands, width, 7, padding=3))
        self.strides = tuple(strides)
        self.upsamplers, self.branches = nn.ModuleList(), nn.ModuleList()
        product, field = 1, 3.0
        for stride, kernel in zip(strides, kernels, strict=True):
            # If kernel - stride is odd, one sample of output padding keeps the length exact.
            odd = (kernel - stride) % 2
            self.upsamplers.append(
                weight_norm(
                    nn.ConvTranspose1d(
                        width,
                        width // 2,
                        kernel,
                        stride,
                        padding=(kernel - stride + odd) // 2,
                        output_padding=odd,
                    )
                )
            )
            width, product = width // 2, product * stride
            branches = [ResidualBranch(width, branch_kernel) for branch_kernel in KERNELS]
            self.branches.extend(branches)
            field += (kernel + max(branch.context_samples for branch in branches)) / product
        self.last = weight_norm(nn.Conv1d(width, 1, 7, padding=3))
        self.context_frames = int(field) + 2

    def forward(self, mel: Tensor, inside: Tensor | None = None) -> Tensor:
        """(batch, frame, band) -> (batch, frame * hop)."""
        x = self.first(masked((mel - self.mean) / self.deviation, inside).transpose(1, 2))
        inside = None if inside is None else inside.transpose(1, 2)
        for number, (upsampler, stride) in enumerate(zip(self.upsamplers, self.strides, strict=True)):
            x = upsampler(masked(leaky_relu(x, 0.1), inside))
            inside = None if inside is None else inside.repeat_interleave(stride, 2)
            branches = self.branches[number * len(KERNELS) : (number + 1) * len(KERNELS)]
            x = torch.stack([branch(x, inside) for branch in branches]).mean(0)
        return torch.tanh(self.last(masked(leaky_relu(x, 0.01), inside))).squeeze(1)
