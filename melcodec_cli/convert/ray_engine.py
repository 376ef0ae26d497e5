"""Runs conversions on many machines, as a Ray Data job.

Requests are sent in groups, and records come back; both are plain values. A worker is a process that loads the model
once and opens the files under the driver's names for them.

If a worker dies, Ray gives its groups to others. These find the files that it had completed, and perhaps one that the
dying process still holds. A ledger beside the driver knows that both belong to this run, and which file keeps killing
its workers.
"""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count, islice
from typing import Any

from melcodec_cli import errors
from melcodec_cli.codec.pipeline import STREAMS_PER_WINDOW
from melcodec_cli.convert.conversion import Notice
from melcodec_cli.convert.engine import JobDone, LocalEngine, Outcome
from melcodec_cli.convert.ray_cluster import cluster, workers_of
from melcodec_cli.convert.request import Request, name_of
from melcodec_cli.errors import MelcodecError, OutputExists, UsageProblem, describe, path_of
from melcodec_cli.files.streams import STDIO
from melcodec_cli.models.choose import ModelChoice, Models
from melcodec_cli.report.record import Record

TRIES = 4  # for a file whose workers die
PATIENCE_S = 60  # to wait for a dying worker that still writes
ENVIRONMENT = ("MELCODEC_BUNDLES", "XDG_DATA_HOME")  # where models are searched
Numbered = tuple[int, Request]


@dataclass(frozen=True)
class RayEngine:
    """Runs on the cluster at `address`, or else on this machine alone; choice.threads are those of a worker."""

    choice: ModelChoice
    notice: Notice
    detail: Callable[[str], None]
    address: str | None

    def convert(
        self, requests: Iterable[Request], on_job: JobDone | None = None
    ) -> Generator[Outcome, None, None]:
        """`on_job` is never called: workers report a file only when it has ended."""
        with cluster(self.address) as ray:
            needs = self._needs(ray)
            groups = [{"group": group} for group in self._groups(requests, workers_of(ray, needs))]
            there = os.getcwd(), {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
            jobs = ray.data.from_items(groups, override_num_blocks=len(groups)).map_batches(
                _run_group,
                batch_size=None,
                fn_kwargs={"worker": pickle.dumps((self.choice, *there)), "ledger": _ledger(ray)},
                **needs,
            )
            for done in jobs.iter_batches(batch_size=None, prefetch_batches=0):
                for answer in done["answer"]:
                    yield from self._told(answer)

    def _groups(self, requests: Iterable[Request], workers: int) -> Iterator[bytes]:
        """Group the requests, small groups first, so that a short run keeps every worker busy."""
        numbered = enumerate(requests)
        for place in count():
            group = list(islice(numbered, min(1 + place // workers, STREAMS_PER_WINDOW // 2)))
            if not group:
                return
            for _, request in group:
                if STDIO in (request.source, request.target):
                    raise UsageProblem("--engine ray converts files, not standard input or output")
            yield pickle.dumps(group)

    def _told(self, answer: bytes) -> Iterator[Outcome]:
        said, files = pickle.loads(answer)
        for topic, line in said:
            if topic is None:
                self.detail(line)
            else:
                self.notice(topic, line)
        for record, error in files:
            yield Outcome(Record(**record), error and _error_of(*error))

    def _needs(self, ray: Any) -> dict[str, int]:
        """The resources that a worker needs. Fails if no node has it, as the job would wait forever."""
        device = self.choice.device
        gpus = device == "cuda" or (device == "auto" and "GPU" in ray.cluster_resources())
        needs = {"num_cpus": self.choice.threads or 1, "num_gpus": int(gpus)}
        if not workers_of(ray, needs):
            what = "a GPU and " if gpus else ""
            raise UsageProblem(
                f"no machine of the Ray cluster has {what}{needs['num_cpus']} CPU for a worker"
            )
        return needs


class _Ledger:
    """Counts how often each file was begun since it was last completed."""

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}

    def begin_all(self, places: list[int]) -> bool:
        """Begin all files, unless one of them was begun before; returns whether it did."""
        new = self._tries.keys().isdisjoint(places)
        if new:
            self._tries.update(dict.fromkeys(places, 1))
        return new

    def begin(self, place: int) -> int:
        """Begin a file, and return the number of this try."""
        self._tries[place] = self._tries.get(place, 0) + 1
        return self._tries[place]

    def end(self, place: int) -> None:
        self._tries[place] = 1


class _Worker:
    """A worker process: its models, and its messages for the driver."""

    def __init__(self, choice: ModelChoice, folder: str, environment: dict[str, str]):
        self._said: list[tuple[str | None, str]] = []  # topic (None for a detail) and line
        os.environ.update(environment)
        try:
            os.chdir(folder)
        except OSError as error:
            host = socket.gethostname()
            raise UsageProblem(
                f"{host}: {describe(error)}; a worker needs the run's folder", folder
            ) from None
        models = Models(self._notice, self._detail, choice)
        self._engine = LocalEngine(models, self._notice)

    def _notice(self, topic: str, line: str) -> None:
        self._said.append((topic, line))

    def _detail(self, line: str) -> None:
        self._said.append((None, f"{socket.gethostname()}: {line}"))

    def run(self, group: list[Numbered], ledger: Any) -> bytes:
        import ray

        places = {_key(request): place for place, request in group}
        outcomes = {}
        if ray.get(ledger.begin_all.remote(list(places.values()))):
            for outcome in self._engine.convert(request for _, request in group):
                place = places[outcome.record.source, outcome.record.target]
                outcomes[place] = outcome
                ledger.end.remote(place)
        else:  # one by one, to find out which file kills its workers
            for place, request in group:
                tries = ray.get(ledger.begin.remote(place))
                outcomes[place] = self._again(request, tries)
                ray.get(ledger.end.remote(place))
        said, self._said = self._said, []
        return pickle.dumps((said, [_plain(outcomes[place]) for place, _ in group]))

    def _again(self, request: Request, tries: int) -> Outcome:
        """Convert a file again. An existing output was made by a worker that died."""
        if tries > TRIES:
            record = Record(*_key(request))
            return Outcome(record, MelcodecError("its worker died each time", record.source))
        began_s = time.monotonic()
        while True:
            (outcome,) = self._engine.convert([replace(request, force=True)])
            if not isinstance(outcome.error, OutputExists) or time.monotonic() > began_s + PATIENCE_S:
                return outcome
            time.sleep(0.5)


_worker = lru_cache(maxsize=1)(lambda worker: _Worker(*pickle.loads(worker)))


def _run_group(batch: dict[str, Any], worker: bytes, ledger: Any) -> dict[str, Any]:
    return {"answer": [_worker(worker).run(pickle.loads(group), ledger) for group in batch["group"]]}


def _key(request: Request) -> tuple[str, str]:
    return name_of(request.source), name_of(request.target)


def _plain(outcome: Outcome) -> tuple[dict[str, Any], tuple[str, str, str | None] | None]:
    """A record's fields, and an error's kind, message and path: errors may not survive pickling."""
    error = outcome.error
    if error is None:
        return vars(outcome.record), None
    if not isinstance(error, MelcodecError):
        error = MelcodecError(describe(error), path_of(error) or outcome.record.source)
    return vars(outcome.record), (type(error).__name__, error.message, error.path)


def _error_of(kind: str, message: str, path: str | None) -> MelcodecError:
    error: MelcodecError = getattr(errors, kind)(message, path)
    return error


def _ledger(ray: Any) -> Any:
    """A ledger on the driver's own node, without which the job ends anyway."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(_Ledger).options(num_cpus=0, scheduling_strategy=here).remote()
