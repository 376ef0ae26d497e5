"""What the tests of commands look at, and what they run into."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def last_line(capture: Any) -> str:
    return str(capture.readouterr().err).splitlines()[-1]


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """Writing beyond it fails, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def unreadable_folder(inside: str) -> None:
    """A path too long for the system, which not even root can read."""
    here = os.getcwd()
    os.chdir(inside)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    os.chdir(here)
