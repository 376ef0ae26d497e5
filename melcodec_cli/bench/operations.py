"""Counts the arithmetic of each part of a system: products of matrices, convolutions and recurrent layers.

A multiplication and an addition count as two operations.  Fourier transforms and functions of single values are left
out: they are a few per cent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from melcodec_cli.bench.hooks import hooked
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Codes, Options, System, live_of

REST = "all else"  # what no part does
SECONDS = 2.0  # of noise that is coded


def mflops(system: System, options: Options) -> dict[str, float]:
    """Millions of operations for a second of audio, by the names of the parts.

    Those of a system that can run live are counted as there, without a search for better indices.
    """
    shape = system.shape
    least = {option.name: option.low for option in system.options if option.way == "encode"}
    span = Span(0, max(1, round(SECONDS * shape.frames_per_s)), 0)
    noise = 0.1 * np.random.default_rng(0).standard_normal(span.kept * shape.frame_samples)
    found: dict[str, float] = defaultdict(float)
    begun = 0
    with FlopCounterMode(display=False, custom_mapping=_own_counts()) as counter:

        def begin(name: str) -> None:
            nonlocal begun
            begun = counter.get_total_flops()

        def end(name: str) -> None:
            found[name] += counter.get_total_flops() - begun

        with hooked(system.parts(options), begin, end):
            [codes] = system.encode([noise.astype(np.float32)], [span], least if live_of(system) else {})
            globals_ = codes.globals_
            spread = None if globals_ is None else np.tile(globals_, (span.kept, 1))
            system.decode([Codes(codes.indices, spread)], [span], options)
    found[REST] = counter.get_total_flops() - sum(found.values())
    seconds = span.kept / shape.frames_per_s
    return {name: count / seconds / 1e6 for name, count in found.items()}


def _own_counts() -> dict[Any, Any]:
    """Counts of operations that torch's counter does not know."""
    known: dict[Any, Any] = {}
    if hasattr(torch.ops.aten, "mkldnn_rnn_layer"):  # what an LSTM becomes
        known[torch.ops.aten.mkldnn_rnn_layer] = _recurrent
    if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        known[torch.ops.mkldnn._linear_pointwise] = _linear
    return known


def _linear(x: Sequence[int], weight: Sequence[int], *rest: Any, **more: Any) -> int:
    return 2 * math.prod(x[:-1]) * math.prod(weight)


def _recurrent(
    x: Sequence[int], weight_in: Sequence[int], weight_back: Sequence[int], *rest: Any, **more: Any
) -> int:
    return 2 * math.prod(x[:-1]) * (math.prod(weight_in) + math.prod(weight_back))
