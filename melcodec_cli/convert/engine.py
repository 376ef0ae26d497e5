"""Who runs conversions: this process, or another with the same interface."""

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
    """How a conversion ended; the record's time leaves out the loading of models."""

    record: Record
    error: Exception | None = None


class Engine(Protocol):
    def convert(
        self, requests: Iterable[Request], on_job: JobDone | None = None
    ) -> Generator[Outcome, None, None]:
        """Run the conversions, and tell of each when it has ended; `on_job` hears of every chunk that is done."""


@dataclass(frozen=True)
class LocalEngine:
    models: Models
    notice: Notice

    def convert(
        self, requests: Iterable[Request], on_job: JobDone | None = None
    ) -> Generator[Outcome, None, None]:
        # Each is made when its turn comes, and forgotten when it has ended: there may be very many.
        conversions = (conversion_of(request, self.models, self.notice) for request in requests)
        for ended in convert(conversions, on_job):
            yield outcome_of(ended)


def outcome_of(ended: Ended[Conversion[Any, Any]]) -> Outcome:
    record = ended.stream.record
    record.elapsed_s = ended.elapsed_s - ended.stream.loading_s
    return Outcome(record, ended.error)
