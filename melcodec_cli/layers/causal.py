"""Layers for codecs with little delay: they look ahead by as much as they say, and can be run frame by frame.

Tensors are (batch, frame, channel).  memory: see memory.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from melcodec_cli.layers.memory import Memory, surrounded


class CausalConv(nn.Module):
    """Convolution that sees `ahead` frames of the future and, with the rest of its kernel, the past.

    It runs in 2-D on a channels-last view, which spares CPUs a copy.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, ahead: int = 0) -> None:
        super().__init__()
        self.before, self.ahead = kernel - 1 - ahead, ahead
        self.conv = nn.Conv2d(channels_in, channels_out, (1, kernel))
        weight = self.conv.weight
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        x = surrounded(self, x, self.before, self.ahead, memory)
        if x.shape[1] == 0:
            return x.new_zeros(len(x), 0, self.conv.out_channels)
        if memory is not None:  # so few frames that a product is quicker than a convolution
            taps = x.unfold(1, self.before + 1 + self.ahead, 1).flatten(2)  # (batch, frame, channel * tap)
            return nn.functional.linear(taps, self.conv.weight.flatten(1), self.conv.bias)
        return self.conv(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)


class CausalUpsample(nn.Module):
    """Transposed convolution with a kernel of two strides: each frame becomes `factor`, from itself and the one before.

    Computed as a convolution of two taps that makes all of them at once.
    """

    def __init__(self, channels_in: int, channels_out: int, factor: int) -> None:
        super().__init__()
        self.factor, self.channels_out = factor, channels_out
        self.conv = CausalConv(channels_in, factor * channels_out, 2)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        y = self.conv(x, memory)
        return y.reshape(len(y), y.shape[1] * self.factor, self.channels_out)


class RecurrentNet(nn.Module):
    """A GRU or LSTM in the forward direction, over frames first: (frame, row, channel)."""

    def __init__(self, kind: type[nn.GRU] | type[nn.LSTM], channels: int) -> None:
        super().__init__()
        self.net: nn.GRU | nn.LSTM = kind(channels, channels)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        if memory is None:
            return self.net(x)[0]
        if x.shape[0] == 0:
            return x
        # Frame by frame: for a few of them, this is quicker than to prepare for many.
        states = []
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        weight_in, weight_back, bias_in, bias_back = (self.net.get_parameter(name) for name in names)
        nothing = x.new_zeros(x.shape[1:])
        if isinstance(self.net, nn.LSTM):
            state, cell = memory.held.get(self, (nothing, nothing))
            for frame in x:
                state, cell = torch.lstm_cell(
                    frame, (state, cell), weight_in, weight_back, bias_in, bias_back
                )
                states.append(state)
            memory.held[self] = state, cell
        else:
            state = memory.held.get(self, nothing)
            for frame in x:
                state = torch.gru_cell(frame, state, weight_in, weight_back, bias_in, bias_back)
                states.append(state)
            memory.held[self] = state
        return torch.stack(states)
