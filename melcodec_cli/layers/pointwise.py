"""Linear layers on each frame alone: nine tenths of the chain's arithmetic.

On a CPU torch gives matrices in float32 to MKL, which uses half of the width that an AMD processor has.  oneDNN uses
all of it, and applies the GELU that follows while it is there: together twice as fast, in bfloat16 1.5 times.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor, nn

# torch's compiler calls it for layers whose weights stay as they are.  Untried on other processors than these.
ONEDNN = (
    torch.backends.mkldnn.is_available()
    and platform.machine().lower() in ("x86_64", "amd64")
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)


class Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        if _by_onednn(input):
            return torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")
        return super().forward(input)


class LinearGelu(nn.Linear):
    """And a GELU after it, by its exact formula."""

    def forward(self, input: Tensor) -> Tensor:
        if _by_onednn(input):
            return torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "gelu", [], "none")
        return nn.functional.gelu(super().forward(input))


def _by_onednn(x: Tensor) -> bool:
    """It has no gradient."""
    return (
        ONEDNN
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )
