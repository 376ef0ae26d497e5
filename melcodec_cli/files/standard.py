"""Standard input, output and error, which a daemon or cron may have closed."""

import errno
import io
import os
import sys
from typing import BinaryIO

from melcodec_cli.errors import UsageProblem


class ClosedOutput(io.TextIOBase):
    """Stands in for a closed standard output, and fails only when something is written."""

    encoding, errors = "utf-8", "strict"

    def write(self, text: object) -> int:
        raise OSError(errno.EBADF, "is closed", "standard output")


def fill_gaps() -> None:
    """Give every standard stream that is closed a stand-in.

    The null device takes the free descriptors. Otherwise the next opened file would get one, and a library's messages
    on standard error would end up in a recording.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process


def standard_input() -> BinaryIO:
    """Standard input for bytes. Refuses a closed one, and a terminal, where nobody can type a recording."""
    if sys.stdin is None:
        raise UsageProblem("standard input is closed; name a file or pipe one in")
    if sys.stdin.isatty():
        raise UsageProblem("standard input is a terminal; name a file or pipe one in")
    return sys.stdin.buffer


def standard_output() -> BinaryIO:
    """Standard output for bytes. Refuses a closed one and a terminal."""
    if sys.stdout is None or isinstance(sys.stdout, ClosedOutput):
        raise UsageProblem("standard output is closed; name a file with -o")
    if sys.stdout.isatty():
        raise UsageProblem("standard output is a terminal; name a file with -o or send it into a pipe")
    return sys.stdout.buffer


def someone_answers() -> bool:
    """True if a person at a terminal can be asked a question."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
