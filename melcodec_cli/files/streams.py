"""Recognises names that stand for a stream: named pipes, devices, and what a shell passes for <(...)."""

from __future__ import annotations

import fcntl
import os
import re
import stat

STDIO = "-"
STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}
READ, WRITE = 0, 1  # descriptors of standard input and output


def plain_name(path: str, descriptor: int) -> str:
    """Turn another name of standard input (descriptor 0) or output (1) into "-"; return any other path unchanged."""
    return STDIO if _descriptor(path) == descriptor else path


def is_stream(path: str) -> bool:
    """True if the path is a pipe, a device or any descriptor of this process."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_nameless(path: str) -> bool:
    """True if no output name can be derived from this one."""
    return path == STDIO or _descriptor(path) is not None


def takes_output(path: str) -> bool:
    """True if the path is a stream that can be written, unlike one that a shell made for <(...)."""
    descriptor = _descriptor(path)
    if descriptor is None:
        return is_stream(path)
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:  # no such descriptor, as opening it will report
        return False


def _descriptor(path: str) -> int | None:
    """The descriptor of this process that the path names, if any."""
    found = re.fullmatch(
        r"/dev/(?:(stdin|stdout|stderr)|fd/(\d+))|/proc/self/fd/(\d+)", os.path.normpath(path)
    )
    if not found:
        return None
    return STANDARD[found[1]] if found[1] else int(found[2] or found[3])
