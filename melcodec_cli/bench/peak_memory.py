"""Peak memory of a piece of work: of the GPU if it runs there, else of the process."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch


class PeakMemory:
    """The peak memory between `begin` and `end`; on a CPU this needs Linux."""

    def __init__(self, device: torch.device):
        self._cuda = device.type == "cuda"
        self._status = Path("/proc/self/status")
        self._known = self._cuda or self._status.exists()
        self._before = 0

    def begin(self) -> None:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        elif self._known:
            # Memory that was freed but kept would hide new allocations.
            getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak
            self._before = self._status_bytes("VmRSS")

    def end(self) -> tuple[int, int] | None:
        """The peak since `begin`, and how far it is above the memory used then."""
        if not self._known:
            return None
        peak = torch.cuda.max_memory_allocated() if self._cuda else self._status_bytes("VmHWM")
        return peak, max(0, peak - self._before)

    def _status_bytes(self, field: str) -> int:
        """The value of a line like "VmRSS:   12345 kB"."""
        lines = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
        return int(lines[field].split()[0]) * 1024
