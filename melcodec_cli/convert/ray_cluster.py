"""Connects to a Ray cluster, counts its room, and leaves it as it was."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from melcodec_cli.errors import MelcodecError, Terminated, UsageProblem

ANSWER_S = 10  # for a cluster to accept a connection


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected and silent while the run lasts."""
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    # Set both before the import, which reads them.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":  # use only the loopback network, which keeps others out
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageProblem(f"--engine ray needs Ray: pip install 'melcodec[ray]' ({error})") from None
    terminated, logged = signal.getsignal(signal.SIGTERM), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        _connect(ray, address)
        # Otherwise dying raylets are reported on standard output, whatever the logging level.
        ray._private.worker._worker_logs_enabled = False
        signal.signal(signal.SIGTERM, terminated)  # Ray's own handler ends the process silently
        yield ray
    except ray.exceptions.RayError as error:
        raise MelcodecError(f"the Ray job ended: {_reason(error)}") from error
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ray.shutdown()
        signal.signal(signal.SIGTERM, terminated)
        logging.disable(logged)


def _connect(ray: Any, address: str) -> None:
    own = {"include_dashboard": False} if address == "local" else {}
    try:
        _knock(ray, address)
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **own)
        ray.data.DataContext.get_current().enable_progress_bars = False
    except SystemExit:  # SIGTERM meanwhile
        raise Terminated from None
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise UsageProblem(f"no Ray cluster at {address}: {_reason(error)}") from error


def _knock(ray: Any, address: str) -> None:
    """Fail fast if nothing listens at the address: Ray would try for minutes, and print messages."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():
        host = ray._private.services.resolve_ip_for_localhost(host.strip("[]"))
        socket.create_connection((host, int(port)), ANSWER_S).close()


def _reason(error: Exception) -> str:
    """The line of Ray's message that says what happened: the last of a worker's traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = getattr(error, "cause", None)
    if isinstance(cause, MelcodecError):
        return str(cause)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return lines[-1 if hasattr(error, "traceback_str") else 0] if lines else type(error).__name__


def workers_of(ray: Any, needs: dict[str, int]) -> int:
    """The number of processes with these needs that fit in the cluster."""
    kinds = {"CPU": needs["num_cpus"], "GPU": needs["num_gpus"]}
    return sum(
        min(int(node["Resources"].get(kind, 0) // amount) for kind, amount in kinds.items() if amount)
        for node in ray.nodes()
        if node["Alive"]
    )
