"""What `info` and `verify` share: they go on with other files after a bad one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from melcodec_cli.codec.inspection import Inspection, inspect
from melcodec_cli.errors import BatchFailures, MelcodecError, UsageProblem, describe, show_traceback
from melcodec_cli.files.standard import standard_input
from melcodec_cli.report.console import say as say

Tell = Callable[[str, Inspection, MelcodecError | None], None]


def inspect_each(names: Sequence[str], tell: Tell) -> None:
    """Inspect every file and call `tell`; if a single file is bad, its error is raised, else BatchFailures."""
    failures = 0
    for name in names:
        try:
            with open_mlc(name) as file:
                inspection = inspect(file)
            failure = inspection.failure(name)
        except MelcodecError as error:
            inspection, failure = Inspection(), error
        except Exception as error:  # a disk error, say, must not stop the other files either
            show_traceback(error)
            inspection, failure = Inspection(), MelcodecError(describe(error), name)
        tell(name, inspection, failure)
        if failure is not None:
            if len(names) == 1:
                raise failure
            say(str(failure))
            failures += 1
    if failures:
        raise BatchFailures(f"{len(names) - failures} sound, {failures} failed")


@contextmanager
def open_mlc(name: str) -> Iterator[BinaryIO]:
    """The file, or standard input for "-"."""
    if name == "-":
        yield standard_input()
        return
    try:
        file = open(name, "rb")  # noqa: SIM115 (closed below; only the opening's errors are translated)
    except OSError as error:
        raise UsageProblem((error.strerror or str(error)).lower(), name) from error
    with file:
        yield file
