"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from types import FrameType


class StopSignal:
    """True once SIGINT or SIGTERM has arrived, so that a run stops between two steps, where it can be resumed."""

    def __init__(self) -> None:
        self.arrived = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.arrived = True
        signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once

    def __bool__(self) -> bool:
        return self.arrived
