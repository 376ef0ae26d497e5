"""Engines run conversions: this process, or another with the same interface."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from melcodec_cli.codec.pipeline import Ended, convert
from melcodec_cli.convert.conversion import Conversion, Notice, conversion_of
from melcodec_cli.convert.request import Request
from melcodec_cli.models.choose import Models
from melcodec_cli.report.record import Record

JobDone: TypeAlias = Callable[[Conversion[Any, Any], Any], None]


@dataclass(frozen=True)
class Outcome:
    """The result of a conversion; the record's time does not include loading models."""

    record: Record
    error: Exception | None = None


class Engine(Protocol):
    def convert(
        self, requests: Iterable[Request], on_job: JobDone | None = None
    ) -> Generator[Outcome, None, None]:
        """Run the conversions and yield each outcome; `on_job` is called for every finished chunk."""


@dataclass(frozen=True)
class LocalEngine:
    models: Models
    notice: Notice

    def convert(
        self, requests: Iterable[Request], on_job: JobDone | None = None
    ) -> Generator[Outcome, None, None]:
        # Made one by one and dropped at the end, as there may be very many.
        conversions = (conversion_of(request, self.models, self.notice) for request in requests)
        for ended in convert(conversions, on_job):
            yield outcome_of(ended)


def outcome_of(ended: Ended[Conversion[Any, Any]]) -> Outcome:
    record = ended.stream.record
    record.elapsed_s = ended.elapsed_s - ended.stream.loading_s
    return Outcome(record, ended.error)
