"""Mels after the coder, as later stages will receive them."""

from __future__ import annotations

import torch
from torch import Tensor

from melcodec_cli.systems.fmel.coder import Coder


@torch.no_grad()
def coded_mel(coder: Coder, mel: Tensor) -> Tensor:
    """(batch, frame, band) -> the same after coding and decoding."""
    tokens = mel.shape[1] // 4
    indices, globals_ = coder.encode(mel, mel.new_ones(len(mel), tokens))
    if globals_ is not None:
        globals_ = globals_.unsqueeze(1).expand(-1, tokens, -1)
    return coder.decode(indices, globals_)
