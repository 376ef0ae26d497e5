"""The lasting account of a run: a file with a line of JSON for every input, written as the run goes on."""

from __future__ import annotations

import json
import os
from typing import IO

from melcodec_cli.errors import OutputExists


class ReportFile:
    """What it cannot write, on a full disk, stops no run; `close` raises the error."""

    def __init__(self, path: str):
        """Replaces an earlier report, but nothing else."""
        if os.path.exists(path) and not _is_report(path):
            raise OutputExists("is there already and no earlier report; choose another name", path)
        self._file: IO[str] = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by `close`
        self._path = path
        self._error: OSError | None = None

    def write(self, line: str) -> None:
        if self._error is None:
            try:
                self._file.write(line + "\n")
                self._file.flush()  # a killed run's report tells how far it came
            except OSError as error:
                self._error = error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        if self._error is not None:
            self._error.filename = self._path
            raise self._error


def _is_report(path: str) -> bool:
    if not os.path.isfile(path):
        return True  # a pipe or device, in which nothing can be lost
    with open(path, "rb") as file:
        first = file.readline(1 << 20)
    try:
        record = json.loads(first or b'{"status": ""}')
    except ValueError:
        return False
    return isinstance(record, dict) and "status" in record
