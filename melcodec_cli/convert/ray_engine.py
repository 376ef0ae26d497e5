"""Many machines: the conversions of a run as a Ray Data job, behind the interface of codec.pipeline.convert.

Conversions travel in groups, as pickles without the run's report and models, for which each worker has its own; a
worker is a process that loads the model once. Workers reach the files by the names that the driver has for them.

Ray gives the groups of a worker that died to others. These find what it had completed, and perhaps a file that the
dying process still holds; a ledger beside the driver knows that both are the run's own, and which file keeps ending
its workers.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Any

from melcodec_cli.codec.pipeline import STREAMS_PER_WINDOW, Ended, convert
from melcodec_cli.convert.conversion import Conversion
from melcodec_cli.convert.ray_cluster import cluster, workers_of
from melcodec_cli.errors import MelcodecError, OutputExists, UsageProblem
from melcodec_cli.files.streams import STDIO
from melcodec_cli.models.choose import Models
from melcodec_cli.report.report import Report, describe, path_of

TRIES = 4  # of a file whose workers die
PATIENCE_S = 60  # with a dying worker that still writes
ENVIRONMENT = ("MELCODEC_BUNDLES", "XDG_DATA_HOME")  # where models are found
AnyConversion = Conversion[Any]


@dataclass(frozen=True)
class RayEngine:
    """`address` of a cluster; without one it is this machine alone."""

    report: Report
    models: Models
    address: str | None
    device: str
    threads: int | None  # of a worker

    def convert(
        self,
        conversions: Iterable[AnyConversion],
        on_result: Callable[[AnyConversion, Any], None] | None = None,
    ) -> Generator[Ended[AnyConversion]]:
        """`on_result` hears nothing: what is told of a file comes when it has ended."""
        with cluster(self.address) as ray:
            needs = self._needs(ray)
            groups = [{"group": group} for group in self._groups(conversions, workers_of(ray, needs))]
            recipe = _dump(self.models, {"report": self.report})
            there = os.getcwd(), {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
            jobs = ray.data.from_items(groups, override_num_blocks=len(groups)).map_batches(
                _run_group,
                batch_size=None,
                fn_kwargs={"worker": pickle.dumps((recipe, *there)), "ledger": _ledger(ray)},
                **needs,
            )
            for done in jobs.iter_batches(batch_size=None, prefetch_batches=0):
                for group, outcomes in zip(done["group"], done["outcomes"], strict=True):
                    yield from self._ended(group, outcomes)

    def _groups(self, conversions: Iterable[AnyConversion], workers: int) -> Iterator[bytes]:
        """Small ones first, so that a short run keeps every worker busy."""
        numbered = enumerate(conversions)
        for place in count():
            group = list(islice(numbered, min(1 + place // workers, STREAMS_PER_WINDOW // 2)))
            if not group:
                return
            for _, conversion in group:
                if STDIO in (conversion.source, conversion.target):
                    raise UsageProblem("--engine ray converts files, not standard input or output")
            yield _dump(group, self._own)

    def _ended(self, group: bytes, outcomes: bytes) -> Iterator[Ended[AnyConversion]]:
        said, files = pickle.loads(outcomes)
        for way, arguments in said:
            getattr(self.report, way)(*arguments)
        for (_, conversion), (record, loading_s, error, elapsed_s) in zip(
            _load(group, self._own), files, strict=True
        ):
            conversion.record, conversion.loading_s = record, loading_s
            yield Ended(conversion, error, elapsed_s)

    @property
    def _own(self) -> dict[str, Any]:
        return {"report": self.report, "models": self.models}

    def _needs(self, ray: Any) -> dict[str, int]:
        """What a worker takes of its node, which some node must have, or the job would wait for ever."""
        gpus = self.device == "cuda" or (self.device == "auto" and "GPU" in ray.cluster_resources())
        needs = {"num_cpus": self.threads or 1, "num_gpus": int(gpus)}
        if not workers_of(ray, needs):
            what = "a GPU and " if gpus else ""
            raise UsageProblem(
                f"no machine of the Ray cluster has {what}{needs['num_cpus']} CPU for a worker"
            )
        return needs


class _Ledger:
    """How often each file was begun, or how often since it was last completed."""

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}

    def begin_all(self, places: list[int]) -> bool:
        """Unless one of them was begun before."""
        new = self._tries.keys().isdisjoint(places)
        if new:
            self._tries.update(dict.fromkeys(places, 1))
        return new

    def begin(self, place: int) -> int:
        """Which try of it this is."""
        self._tries[place] = self._tries.get(place, 0) + 1
        return self._tries[place]

    def end(self, place: int) -> None:
        self._tries[place] = 1


class _Worker:
    """Of one process."""

    def __init__(self, recipe: bytes, folder: str, environment: dict[str, str]):
        self.said: list[tuple[str, tuple[str, ...]]] = []
        os.environ.update(environment)
        try:
            os.chdir(folder)
        except OSError as error:
            host = socket.gethostname()
            raise UsageProblem(
                f"{host}: {describe(error)}; a worker needs the run's folder", folder
            ) from None
        self._own = {"report": self}
        self._own["models"] = _load(recipe, self._own)

    # In the place of the report's, which is told when the group has ended.
    def notice(self, topic: str, line: str) -> None:
        self.said.append(("notice", (topic, line)))

    def detail(self, line: str) -> None:
        self.said.append(("detail", (f"{socket.gethostname()}: {line}",)))

    def run(self, group: bytes, ledger: Any) -> bytes:
        import ray

        places = [place for place, _ in _load(group, self._own)]
        outcomes = {}
        if ray.get(ledger.begin_all.remote(places)):
            conversions = {conversion: place for place, conversion in _load(group, self._own)}
            for ended in convert(conversions):
                outcomes[conversions[ended.stream]] = _outcome(ended)
                ledger.end.remote(conversions[ended.stream])
        else:  # one by one, so that it shows which of them ends its workers
            for place in places:
                tries = ray.get(ledger.begin.remote(place))
                outcomes[place] = _outcome(self._again(group, place, tries))
                ray.get(ledger.end.remote(place))
        said, self.said = self.said, []
        return pickle.dumps((said, [outcomes[place] for place in places]))

    def _again(self, group: bytes, place: int, tries: int) -> Ended[AnyConversion]:
        """What is there already was made by a worker that died."""
        began_s = time.monotonic()
        while True:
            conversion = dict(_load(group, self._own))[place]
            if tries > TRIES:
                return Ended(
                    conversion, MelcodecError("its worker died each time", conversion.record.source), 0.0
                )
            conversion.replace_output()
            (ended,) = convert([conversion])
            if not isinstance(ended.error, OutputExists) or time.monotonic() > began_s + PATIENCE_S:
                return ended
            time.sleep(0.5)


_worker = lru_cache(maxsize=1)(lambda worker: _Worker(*pickle.loads(worker)))


def _run_group(batch: dict[str, Any], worker: bytes, ledger: Any) -> dict[str, Any]:
    return {
        "group": batch["group"],
        "outcomes": [_worker(worker).run(group, ledger) for group in batch["group"]],
    }


def _outcome(ended: Ended[AnyConversion]) -> tuple[Any, float, Exception | None, float]:
    """Errors of libraries may not travel; what is told of them does."""
    error = ended.error
    if error is not None and not isinstance(error, MelcodecError):
        error = MelcodecError(describe(error), path_of(error) or ended.stream.record.source)
    return ended.stream.record, ended.stream.loading_s, error, ended.elapsed_s


class _Pickler(pickle.Pickler):
    names: dict[int, str]

    def persistent_id(self, thing: object) -> str | None:
        return self.names.get(id(thing))


class _Unpickler(pickle.Unpickler):
    own: dict[str, Any]

    def persistent_load(self, name: str) -> Any:
        return self.own[name]


def _dump(thing: object, own: dict[str, Any]) -> bytes:
    """Without what the other side has of its own, under the same names."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.names = {id(each): name for name, each in own.items()}
    pickler.dump(thing)
    return file.getvalue()


def _load(data: bytes, own: dict[str, Any]) -> Any:
    unpickler = _Unpickler(io.BytesIO(data))
    unpickler.own = own
    return unpickler.load()


def _ledger(ray: Any) -> Any:
    """On the driver's own node, with which the job ends anyway."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(_Ledger).options(num_cpus=0, scheduling_strategy=here).remote()
