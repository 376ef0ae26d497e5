"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any


class StopSignal:
    """Context that stores the number of a SIGINT or SIGTERM (0: none), so that a run stops between two steps and can be
    resumed."""

    def __init__(self, second_kills: bool = True) -> None:
        self.number = 0
        self.second_kills = second_kills
        self.handlers: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        for number in (signal.SIGINT, signal.SIGTERM):
            self.handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        if self.second_kills:
            signal.signal(number, signal.SIG_DFL)
