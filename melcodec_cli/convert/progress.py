"""Shows progress: a bar on a terminal's standard error, for work of more than two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from melcodec_cli.convert.conversion import Conversion
from melcodec_cli.report.record import Record
from melcodec_cli.report.report import Report


class Progress:
    """Counts seconds for one file; for many, counts files and shows how much audio they held and the speed."""

    def __init__(self, bar: Any, conversions: int):
        self._bar = bar
        self._single = conversions == 1
        self._audio_s = 0.0
        self._ended_s = 0.0  # audio in finished files, all that a remote engine reports
        self._began_s = time.perf_counter()

    def job_done(self, conversion: Conversion[Any, Any], job: Any) -> None:
        header = conversion.codec.header
        seconds = job.frames * header.layout.frame_samples / header.layout.model_rate_hz
        self._audio_s += seconds
        if self._single:
            self._bar.total = header.samples and round(header.samples / header.rate_hz)
            self._bar.update(round(seconds, 2))
        else:
            self._tell()

    def file_done(self, record: Record) -> None:
        if not self._single:
            self._ended_s += record.duration_s
            self._tell()
            self._bar.update()

    def _tell(self) -> None:
        audio_s, elapsed_s = max(self._audio_s, self._ended_s), time.perf_counter() - self._began_s
        speed = f"{audio_s / elapsed_s:.0f}x real time"
        self._bar.set_postfix_str(f"{audio_s / 3600:.2f} h of audio, {speed}", refresh=False)


@contextmanager
def progress(conversions: int, report: Report) -> Iterator[Progress | None]:
    """A progress bar, or None if nobody is watching."""
    if not report.shows_progress:
        yield None
        return
    from tqdm import tqdm

    many = conversions > 1
    with tqdm(
        total=conversions if many else None,
        unit="file" if many else "s",
        delay=2,
        leave=False,
        dynamic_ncols=True,
    ) as bar:
        report.bar = bar
        yield Progress(bar, conversions)
        report.bar = None
