"""Output files that are complete or not there at all."""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TypeAlias

from melcodec_cli.errors import OutputExists, SameFile, UsageProblem

# A path, or a file that is open already, such as standard input.
Input: TypeAlias = str | os.PathLike[str] | BinaryIO


def check_output(path: str | os.PathLike[str], force: bool = False, inputs: Iterable[Input] = ()) -> None:
    """Refuse a target that must not or cannot be written, before any work is done for it."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        folder = os.path.dirname(os.path.realpath(path))
        if not os.path.isdir(folder):
            raise UsageProblem(f"there is no folder {folder}", path) from None
        return
    if stat.S_ISDIR(found.st_mode):
        raise UsageProblem("is a folder", path)
    if not stat.S_ISREG(found.st_mode):
        return
    for given in inputs:
        with suppress(OSError):  # an input that cannot be looked at is reported by whoever reads it
            # By device and inode, which a link of either kind cannot hide.
            if os.path.samestat(found, _stat(given)):
                raise SameFile("is the input itself; choose another name for the output", path)
    if not force:
        raise OutputExists("already exists (use --force to replace it)", path)


@contextmanager
def output_file(
    path: str | os.PathLike[str], force: bool = False, inputs: Iterable[Input] = ()
) -> Iterator[BinaryIO]:
    """A binary file, readable and seekable, that gets its name when the block ends without an exception.

    Until then it is a hidden file beside the target, and after any exception nothing. A link is followed and
    its target replaced. What is no regular file (/dev/null, a named pipe) is written as it comes.
    """
    check_output(path, force, inputs)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as special:
            yield special
        return
    target = os.path.realpath(path)
    unfinished = _unfinished_name(target)
    with _open_locked(unfinished, path) as file:
        try:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(os.stat(target).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
            if force:
                os.replace(unfinished, target)
            else:
                _publish(unfinished, target, path)
        except BaseException:
            with suppress(FileNotFoundError):  # a signal may come just after it got its name
                os.unlink(unfinished)
            raise


def sweep(path: str | os.PathLike[str]) -> None:
    """Remove the hidden name of a complete output whose maker was killed just after it got its own."""
    target = os.path.realpath(path)
    unfinished = _unfinished_name(target)
    with suppress(OSError):
        if os.path.samestat(os.lstat(unfinished), os.stat(target)):
            os.unlink(unfinished)


def _stat(given: Input) -> os.stat_result:
    return os.stat(given if isinstance(given, str | os.PathLike) else given.fileno())


def _unfinished_name(target: str) -> str:
    """Always the same for a target, so that what a killed run left is used up by the next one."""
    folder, name = os.path.split(target)
    if len(os.fsencode(name)) > 200:  # of the 255 bytes that file systems allow
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return os.path.join(folder, f".{name}.unfinished")


def _open_locked(unfinished: str, path: str | os.PathLike[str]) -> BinaryIO:
    """An empty file under that name which no other process is writing."""
    while True:
        try:
            descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            error.filename = os.fspath(path)  # nobody needs to know the hidden name
            raise
        file = os.fdopen(descriptor, "w+b")
        try:
            _lock(descriptor, path)
            # Between opening and locking, the one who held the lock may have given the file its final name.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.lstat(unfinished)):
                    file.truncate(0)
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(descriptor: int, path: str | os.PathLike[str]) -> None:
    """Until the file is closed, also by being killed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputExists("is being written by another process", path) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        # This file system has no locks. Two runs at once on one target are then the user's own business.


def _publish(unfinished: str, target: str, path: str | os.PathLike[str]) -> None:
    """Give the file its name unless somebody else took it meanwhile, which a rename would not notice."""
    try:
        os.link(unfinished, target)
    except FileExistsError:
        raise OutputExists("has appeared meanwhile (use --force to replace it)", path) from None
    except OSError:  # no hard links on this file system
        os.rename(unfinished, target)
        return
    os.unlink(unfinished)
