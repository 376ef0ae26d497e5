"""The loss that compares what a trained stage hears in the decoded mel and in the original."""

from __future__ import annotations

import torch
from torch import Tensor

from melcodec_cli.layers.pitch import Pitch
from melcodec_cli.systems.fmel.phones import PhoneListener


def hearing_loss(stage: Pitch | PhoneListener, decoded: Tensor, target: Tensor) -> Tensor:
    """Difference in what a trained stage hears: voicing and pitch, or phones."""
    with torch.no_grad():
        heard = stage.heard(target)
    return stage.difference(decoded, heard).mean()
