"""Batches of rows of unequal length: padding on the right, and masks that mark where each row ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from melcodec_cli.systems.span import Span


def padded(rows: Sequence[NDArray[Any]], device: torch.device) -> Tensor:
    """Stack rows into (row, longest, ...), with zeros after the shorter ones."""
    return pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True).to(device)


def inside_of(spans: Sequence[Span], device: torch.device) -> Tensor | None:
    """Mask (row, longest, 1), true within each span; None if all spans are equally long."""
    totals = torch.tensor([span.total for span in spans])
    if (totals == totals[0]).all():
        return None
    return (torch.arange(int(totals.max())) < totals.unsqueeze(1)).unsqueeze(-1).to(device)


def frame_numbers(spans: Sequence[Span], device: torch.device) -> Tensor:
    """Absolute numbers of the frames of the spans, (row, longest)."""
    begin = torch.tensor([span.first - span.before for span in spans])
    return (begin.unsqueeze(1) + torch.arange(max(span.total for span in spans))).to(device)


def narrowed_rows(x: Tensor, spans: Sequence[Span], narrower: Sequence[Span]) -> Tensor:
    """Cut rows (row, place, ...) from their spans down to narrower ones."""
    rows = []
    for row, span, new in zip(x, spans, narrower, strict=True):
        begin = span.before - new.before
        rows.append(row[begin : begin + new.total])
    return pad_sequence(rows, batch_first=True)
