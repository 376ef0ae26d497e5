"""The report file: a line of JSON for every input, written during the run."""

from __future__ import annotations

import json
import os
from typing import IO

from melcodec_cli.errors import OutputExists


class ReportFile:
    """A report file; an error in writing it, such as a full disk, does not stop the run: `close` raises it."""

    def __init__(self, path: str):
        """Open the file; it may replace an earlier report, but no other file."""
        if os.path.exists(path) and not _is_report(path):
            raise OutputExists("already exists and is not a report: choose another name", path)
        self._file: IO[str] = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by `close`
        self._path = path
        self._error: OSError | None = None

    def write(self, line: str) -> None:
        if self._error is None:
            try:
                self._file.write(line + "\n")
                self._file.flush()  # so that the report of a killed run shows how far it came
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
        return True  # a pipe or device, where nothing can be overwritten
    with open(path, "rb") as file:
        first = file.readline(1 << 20)
    try:
        record = json.loads(first or b'{"status": ""}')
    except ValueError:
        return False
    return isinstance(record, dict) and "status" in record
