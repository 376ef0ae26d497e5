"""Reports what a run did: collects a record for each file and prints a table, JSON lines or a last line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from melcodec_cli.errors import BatchFailures, MelcodecError, describe, path_of, show_traceback
from melcodec_cli.report.console import say, say_plainly, show_document, show_line, show_table
from melcodec_cli.report.record import Record
from melcodec_cli.report.report_file import ReportFile

# With more files than this, the table shows only the failed and the slowest.
TABLE_ROWS = 20
EXCERPT_ROWS = 10


INFORMATION = {"mix", "auto", "music"}  # topics of notices that are not warnings


class Report:
    """The report of one run. Everything except the JSON lines goes to stderr."""

    def __init__(
        self,
        json_lines: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        batch: bool = False,
        path: str | None = None,
    ):
        """path: a file that gets a line of JSON for each record."""
        self.records: list[Record] = []
        self.bar: Any = None  # tqdm's, which appears only after its delay
        self.json_lines = json_lines
        self._quiet = quiet
        self._verbose = verbose
        self._batch = batch
        self._noticed: set[str] = set()
        self._path = path
        self._file: ReportFile | None = None

    @property
    def shows_progress(self) -> bool:
        return not (self._quiet or self.json_lines) and sys.stderr.isatty()

    def notice(self, topic: str, line: str) -> None:
        """Print a notice, once per topic in a run; with --quiet only if it is a warning."""
        if topic not in self._noticed and not (self._quiet and topic in INFORMATION):
            self._noticed.add(topic)
            self._say(line)

    def detail(self, line: str) -> None:
        if self._verbose:
            self._say(line)

    @contextmanager
    def kept_for(self, expected: Sequence[Record]) -> Iterator[None]:
        """Write the report file during this block; after an interruption, files without a record are unfinished."""
        if self._path is None:
            yield
            return
        self._file = ReportFile(self._path)
        try:
            yield
        except BaseException:
            told = {(record.source, record.target) for record in self.records}
            for record in expected:
                if (record.source, record.target) not in told:
                    record.status = "unfinished"
                    self._file.write(record.to_json())
            try:
                self._file.close()
            except OSError as error:  # must not replace the error that ended the run
                self._say(f"{self._path}: {describe(error)}")
            raise
        self._file.close()

    def add(self, record: Record) -> None:
        self.records.append(record)
        if self._file:
            self._file.write(record.to_json())
        if self.json_lines:
            show_document(record.to_json())

    def add_planned(self, record: Record) -> None:
        record.status = "planned"
        self.add(record)
        if not self.json_lines:
            show_line(f"{record.source} -> {record.target}")

    def add_failure(self, record: Record, error: Exception) -> None:
        """Record a failure. In a batch it is reported at once; a single file's error is raised."""
        record.status = "failed"
        record.exit_code = error.exit_code if isinstance(error, MelcodecError) else 1
        record.error = error.message if isinstance(error, MelcodecError) else describe(error)
        place = path_of(error) or record.source
        if place != record.source:
            record.error = f"{place}: {record.error}"
        self.add(record)
        if self._batch:
            show_traceback(error)
            self._say(str(error) if isinstance(error, MelcodecError) else f"{place}: {describe(error)}")
        else:
            if isinstance(error, OSError):
                error.filename = error.filename or record.source
            raise error

    def finish(self) -> None:
        """Print the table and the last line; BatchFailures if anything failed."""
        if not self.json_lines and not self._quiet:
            print_table(self.records, self._batch, sys.stderr)
        if self._batch:
            line = self._last_line()
            if any(record.status == "failed" for record in self.records):
                raise BatchFailures(line)
            if not self._quiet and not self.json_lines:
                say_plainly(line)

    def _say(self, line: str) -> None:
        shown = self.bar is not None and self.bar.format_dict["elapsed"] > self.bar.delay
        say(line, self.bar if shown else None)

    def _last_line(self) -> str:
        counts = dict.fromkeys(("done", "skipped", "failed"), 0)
        for record in self.records:
            counts[record.status] = counts.get(record.status, 0) + 1
        return ", ".join(f"{count} {status}" for status, count in counts.items())


def clock(seconds: float) -> str:
    """A time as 1:02:03.45."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"


def print_table(records: list[Record], totals: bool, file: TextIO) -> None:
    """Print a row for each file, or for the failed and slowest of many, and the totals of several."""
    done = [record for record in records if record.status == "done"]
    failed = [record for record in records if record.status == "failed"] if totals else []
    if not done:
        return
    shown = failed + done
    if len(shown) > TABLE_ROWS:
        shown = [*failed, *sorted(done, key=lambda record: -record.elapsed_s)][:EXCERPT_ROWS]
    rows = [
        [record.target, *_cells(record)] if record.status == "done" else [record.source, "failed", *[""] * 5]
        for record in shown
    ]
    sections = [rows]
    if totals and len(done) > 1:
        part = f", the {len(shown)} failed or slowest shown" if len(shown) < len(done) + len(failed) else ""
        sections.append([[f"{len(done)} files{part}", *_cells(_total(done))]])
    titles = ("file", "duration", "bytes", "payload\nbit/s", "total\nbit/s", "time", "times\nreal time")
    show_table(titles, sections, file)


def _cells(record: Record) -> list[str]:
    numbers = (record.payload_bits_per_s, record.total_bits_per_s)
    return [
        clock(record.duration_s),
        f"{record.mlc_bytes:,}",
        *("-" if number is None else f"{number:.1f}" for number in numbers),
        f"{record.elapsed_s:.2f} s",
        _speed(record.times_real_time),
    ]


def _speed(times_real_time: float | None) -> str:
    """The speed with a digit after the point below 10, where it tells whether a search keeps up with speech."""
    if times_real_time is None:
        return "-"
    return f"{times_real_time:.{1 if times_real_time < 9.95 else 0}f}"


def _total(records: list[Record]) -> Record:
    total = Record(source="", target="")
    for record in records:
        total.duration_s += record.duration_s
        total.mlc_bytes += record.mlc_bytes
        total.payload_bits += record.payload_bits
        total.elapsed_s += record.elapsed_s
    return total
