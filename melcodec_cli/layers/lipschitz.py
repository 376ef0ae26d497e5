"""Bounds on how much farther apart a layer's outputs can be than its inputs: Lipschitz constants, as logarithms to 10.

A product of them bounds a network.  It is much larger than what ever happens, as no input is the worst for all layers
at once; but it is finite, and tells two models apart.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from melcodec_cli.layers.blocks import BlockStack, ConvNeXtBlock
from melcodec_cli.layers.snake import LinearSnake

GELU_SLOPE = 1.13  # the steepest
SNAKE_SLOPE = 2.0  # 1 + sin(2 a x)


def spectral_norm(weight: Tensor) -> float:
    """The most by which a matrix can lengthen a vector."""
    return float(torch.linalg.matrix_norm(weight.detach().double(), 2))


def linear_bound(layer: nn.Linear) -> float:
    return math.log10(spectral_norm(layer.weight))


def norm_bound(layer: nn.LayerNorm) -> float:
    """The worst case: an input so flat that `eps` is all that it is divided by."""
    return math.log10(float(layer.weight.detach().abs().max()) / math.sqrt(layer.eps))


def block_bound(block: ConvNeXtBlock) -> float:
    """1, for the input that is kept, and the product of the layers that are added to it."""
    taps = block.depthwise.conv.weight.detach()  # (channel, 1, 1, tap)
    longest = math.log10(float(taps.abs().flatten(1).sum(1).max()))
    if isinstance(block.widen, LinearSnake):
        widen = linear_bound(block.widen.linear) + math.log10(SNAKE_SLOPE)
    else:
        widen = linear_bound(block.widen) + math.log10(GELU_SLOPE)
    narrow = spectral_norm(block.scale.unsqueeze(1) * block.narrow.weight)
    return math.log10(1 + 10 ** (longest + norm_bound(block.norm) + widen) * narrow)


def stack_bound(stack: BlockStack) -> float:
    return sum(block_bound(block) for block in stack.blocks if isinstance(block, ConvNeXtBlock))
