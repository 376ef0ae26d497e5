"""Losses that compare what a trained stage hears in the decoded mel and in the original."""

from __future__ import annotations

import torch
from torch import Tensor

from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.fmel.phones import PhoneListener


def pitch_loss(pitch: Pitch, decoded: Tensor, target: Tensor) -> Tensor:
    """Difference in voicing, and in pitch where voiced, as heard by a trained pitch stage."""
    with torch.no_grad():
        heard = pitch.heard(target)
    return pitch.difference(decoded, heard).mean()


def phones_loss(listener: PhoneListener, decoded: Tensor, target: Tensor) -> Tensor:
    """Difference in the phones heard by a trained listener."""
    with torch.no_grad():
        heard = listener.heard(target)
    return listener.difference(decoded, heard).mean()
