"""Runs many streams through one engine: gathers jobs into windows, runs each together and returns results in order.

While the engine's threads work on one window, the next one is read and the one before it written.

A window ends when it holds enough work, never by the clock, so a command always makes the same batches. Every job of a
live stream ends the window, because the next job may be long in coming.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Streams whose outputs may be open at once; far below any limit on open files.
STREAMS_PER_WINDOW = 64
OPEN_STREAMS = 8  # that are read in turn


class Work(Protocol):
    def results(self) -> Sequence[Any]: ...

    def cancel(self) -> None: ...


class Engine(Protocol):
    @property
    def window_frames(self) -> int: ...

    def start(self, jobs: Sequence[Any]) -> Work: ...


class Stream(ABC, Generic[Job, Result]):
    """One input on its way to its output."""

    live = False
    engine: Engine  # for the job last yielded; need not exist before

    @abstractmethod
    def jobs(self) -> Iterator[Job]:
        """Reads the input. Errors of the input are raised here."""

    @abstractmethod
    def take(self, job: Job, result: Result) -> None:
        """Takes a result. Results arrive in the order of the jobs."""

    @abstractmethod
    def finish(self) -> None:
        """Completes the output, after all results have been taken."""

    def discard(self, error: BaseException) -> None:  # noqa: B027 - most streams own nothing
        """Removes the unfinished output: the stream failed, or the run ended early."""


AnyStream = TypeVar("AnyStream", bound=Stream[Any, Any])


@dataclass
class Ended(Generic[AnyStream]):
    stream: AnyStream
    error: Exception | None
    elapsed_s: float  # of reading and writing, and a share of the waiting for its batches


@dataclass
class _Event:
    """A job and the engine to run it, or (if `job` is None) the end of the stream's jobs."""

    stream: Stream[Any, Any]
    engine: Engine | None = None
    job: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class _Failure:
    """Stands in for a result."""

    error: Exception


@dataclass(frozen=True)
class _Batch:
    """Jobs that one engine is working on, and their places among the window's jobs."""

    engine: Engine
    jobs: Sequence[Any]
    places: Sequence[int]
    work: Work | _Failure

    def results(self) -> Sequence[Any]:
        """The results. If the batch fails, each job runs alone: one may be to blame, the others another file's."""
        if isinstance(self.work, _Failure):
            error = self.work.error
        else:
            try:
                return self.work.results()
            except Exception as caught:
                error = caught
        return [_Failure(error)] if len(self.jobs) == 1 else [_alone(self.engine, job) for job in self.jobs]

    def cancel(self) -> None:
        if not isinstance(self.work, _Failure):
            self.work.cancel()


Window: TypeAlias = Sequence[_Event]


def convert(
    streams: Iterable[AnyStream], on_result: Callable[[AnyStream, Any], None] | None = None
) -> Generator[Ended[AnyStream]]:
    """Runs the streams and yields each one when it has ended. A stream that fails does not stop the others.

    `on_result(stream, job)` is called for every job that is done.
    """
    return _Run(on_result).ended(streams)


class _Run:
    def __init__(self, on_result: Callable[[Any, Any], None] | None):
        self._on_result = on_result
        self._elapsed_s: dict[Stream[Any, Any], float] = {}  # of the streams that have not ended
        self._under_way: deque[tuple[Window, Sequence[_Batch]]] = deque()

    def ended(self, streams: Iterable[Stream[Any, Any]]) -> Generator[Ended[Any]]:
        try:
            for window in _windows(self._events(streams)):
                self._under_way.append((window, _started(window)))
                # Read the next window while one is under way, unless it may be long in coming.
                while len(self._under_way) > (0 if window[-1].stream.live else 1):
                    yield from self._settle(*self._under_way.popleft())
            while self._under_way:
                yield from self._settle(*self._under_way.popleft())
        except BaseException as error:
            for _, batches in self._under_way:
                for batch in batches:
                    batch.cancel()
            for stream in self._elapsed_s:
                stream.discard(error)
            raise

    def _events(self, streams: Iterable[Stream[Any, Any]]) -> Iterator[_Event]:
        """Yields a job of each open stream in turn, so that short streams need not wait for a long one."""
        waiting = iter(streams)
        under_way = deque(self._opened(islice(waiting, OPEN_STREAMS)))
        while under_way:
            stream, jobs = under_way.popleft()
            if stream not in self._elapsed_s:  # it failed in `take`
                under_way.extend(self._opened(islice(waiting, 1)))
                continue
            event = self._next_event(stream, jobs)
            if event.job is None:
                under_way.extend(self._opened(islice(waiting, 1)))
            else:
                under_way.append((stream, jobs))
            yield event

    def _opened(
        self, streams: Iterable[Stream[Any, Any]]
    ) -> Iterator[tuple[Stream[Any, Any], Iterator[Any]]]:
        for stream in streams:
            self._elapsed_s[stream] = 0.0
            yield stream, stream.jobs()

    def _next_event(self, stream: Stream[Any, Any], jobs: Iterator[Any]) -> _Event:
        began_s = time.perf_counter()
        try:
            job = next(jobs, None)
            return _Event(stream, None if job is None else stream.engine, job)
        except BrokenPipeError:
            raise
        except Exception as error:  # even a library's own error concerns this file only
            return _Event(stream, error=error)
        finally:
            self._elapsed_s[stream] += time.perf_counter() - began_s

    def _settle(self, window: Window, batches: Sequence[_Batch]) -> Iterator[Ended[Any]]:
        """Passes a window's results to its streams."""
        results = iter(self._results(window, batches))
        for event in window:
            result = None if event.job is None else next(results)
            if event.stream not in self._elapsed_s:
                continue
            began_s = time.perf_counter()
            error = event.error
            try:
                if isinstance(result, _Failure):
                    raise result.error
                if event.job is not None:
                    event.stream.take(event.job, result)
                    if self._on_result:
                        self._on_result(event.stream, event.job)
                elif error is None:
                    event.stream.finish()
            except BrokenPipeError:
                raise
            except Exception as caught:
                error = caught
            self._elapsed_s[event.stream] += time.perf_counter() - began_s
            if event.job is None or error is not None:
                elapsed_s = self._elapsed_s.pop(event.stream)
                if error is not None:
                    event.stream.discard(error)
                yield Ended(event.stream, error, elapsed_s)

    def _results(self, window: Window, batches: Sequence[_Batch]) -> list[Any]:
        """Results of the window's jobs, in order; the streams share the time spent waiting for them."""
        began_s = time.perf_counter()
        results: dict[int, Any] = {}
        for batch in batches:
            results.update(zip(batch.places, batch.results(), strict=True))
        elapsed_s = time.perf_counter() - began_s
        jobs = [event for event in window if event.job is not None]
        frames = sum(event.job.frames for event in jobs)
        for event in jobs:
            if event.stream in self._elapsed_s:
                self._elapsed_s[event.stream] += elapsed_s * event.job.frames / frames
        return [results[place] for place in range(len(jobs))]


def _started(window: Window) -> Sequence[_Batch]:
    """Starts the window's jobs, all those of one engine together."""
    events = [event for event in window if event.engine is not None]
    batches = []
    for engine in dict.fromkeys(event.engine for event in events if event.engine):
        places = [place for place, event in enumerate(events) if event.engine is engine]
        jobs = [events[place].job for place in places]
        batches.append(_Batch(engine, jobs, places, _start(engine, jobs)))
    return batches


def _start(engine: Engine, jobs: Sequence[Any]) -> Work | _Failure:
    try:
        return engine.start(jobs)
    except Exception as error:
        return _Failure(error)


def _alone(engine: Engine, job: Any) -> Any:
    try:
        (result,) = engine.start([job]).results()
    except Exception as error:
        return _Failure(error)
    return result


def _windows(events: Iterable[_Event]) -> Iterator[Window]:
    window: list[_Event] = []
    frames = ended = 0
    for event in events:
        window.append(event)
        ended += event.job is None
        full = ended >= STREAMS_PER_WINDOW or event.stream.live
        if event.engine is not None:
            frames += event.job.frames
            full = full or frames >= event.engine.window_frames
        if full:
            yield window
            window, frames, ended = [], 0, 0
    if window:
        yield window
