"""Writes output files that are either complete or absent.

Until it is complete, an output has no name, or a random one if the file system has no nameless files. Beside it lies
its mark, an empty file: locked while a process writes the output, left behind by a killed one. Anybody can predict the
mark's name, so a file found there is never written, followed or kept, only unlinked.
"""

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO, TypeAlias

from melcodec_cli.errors import OutputExists, SameFile, UsageProblem

try:
    import fcntl
except ImportError:  # Windows, which cannot unlink an open file
    fcntl = None  # type: ignore[assignment]

# A path, or an open file such as standard input.
Input: TypeAlias = str | os.PathLike[str] | BinaryIO


def check_output(path: str | os.PathLike[str], force: bool = False, inputs: Iterable[Input] = ()) -> None:
    """Refuse a target that must not or cannot be written, before any work is done."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        folder = os.path.dirname(os.path.realpath(path))
        if not os.path.isdir(folder):
            raise UsageProblem(f"the folder {folder} does not exist", path) from None
        return
    if stat.S_ISDIR(found.st_mode):
        raise UsageProblem("is a folder", path)
    if not stat.S_ISREG(found.st_mode):
        return
    for given in inputs:
        with suppress(OSError):  # whoever reads the input will report this
            # Compares device and inode, which neither kind of link can hide.
            if os.path.samestat(found, _stat(given)):
                raise SameFile("is the input itself; choose another name for the output", path)
    if not force:
        raise OutputExists("already exists (use --force to replace it)", path)


@contextmanager
def output_file(
    path: str | os.PathLike[str], force: bool = False, inputs: Iterable[Input] = ()
) -> Iterator[BinaryIO]:
    """A binary file, readable and seekable, that gets its name when the block ends without an exception.

    After an exception nothing of it is left. A link is followed and its target replaced. A target that is not a regular
    file (/dev/null, a named pipe) is written directly.
    """
    check_output(path, force, inputs)
    if _is_special(path):
        with open(path, "wb") as special:
            yield special
        return
    target = os.path.realpath(path)
    with _marked(_mark_of(target), path) as mark:
        hidden = f"{mark}.{os.urandom(8).hex()}"
        try:
            with _open(hidden, path) as file:
                with suppress(FileNotFoundError, AttributeError):  # a new file, or a system without modes
                    os.fchmod(file.fileno(), stat.S_IMODE(os.stat(target).st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
                with _told_of(path):
                    _ensure_name(file, hidden)
            with _told_of(path):
                if force:
                    os.replace(hidden, target)
                else:
                    _publish(hidden, target, path)
        finally:
            _unlink(hidden)


def sweep(path: str | os.PathLike[str]) -> None:
    """Remove what killed runs left beside an output, unless a process is writing it."""
    with suppress(OSError, OutputExists):
        _sweep(_mark_of(os.path.realpath(path)), path)


def _is_special(path: str | os.PathLike[str]) -> bool:
    with suppress(FileNotFoundError):
        return not stat.S_ISREG(os.stat(path).st_mode)
    return False


def _stat(given: Input) -> os.stat_result:
    return os.stat(given if isinstance(given, str | os.PathLike) else given.fileno())


@contextmanager
def _told_of(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make errors name the path that the user gave, not a hidden one."""
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        raise


def _mark_of(target: str) -> str:
    """The mark's path, always the same for a target: it reveals a second writer, and what a killed run left."""
    folder, name = os.path.split(target)
    if len(os.fsencode(name)) > 200:  # file systems allow 255 bytes
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return os.path.join(folder, f".{name}.unfinished")


@contextmanager
def _marked(mark: str, path: str | os.PathLike[str]) -> Iterator[str]:
    """Keep other processes from writing the output while the block runs, and remove what killed runs left."""
    with _told_of(path):
        _sweep(mark, path)
        try:
            file = open(mark, "xb")  # noqa: SIM115 - closed below
        except FileExistsError:
            raise _taken(path) from None
    with file:
        _hold(file.fileno(), mark, path)
        try:
            yield mark
        finally:
            if fcntl is None:
                file.close()
            _unlink(mark)


def _sweep(mark: str, path: str | os.PathLike[str]) -> None:
    """Unlink the hidden files of a mark that was left behind, then the mark."""
    with suppress(FileNotFoundError), ExitStack() as stack:
        if stat.S_ISREG(os.lstat(mark).st_mode) and fcntl is not None:
            descriptor = os.open(mark, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            _hold(descriptor, mark, path)
        folder, name = os.path.split(mark)
        hidden = re.compile(re.escape(name) + r"\.[0-9a-f]{16}")
        for found in filter(hidden.fullmatch, os.listdir(folder)):
            _unlink(os.path.join(folder, found))
        os.unlink(mark)


def _hold(descriptor: int, mark: str, path: str | os.PathLike[str]) -> None:
    """Lock the mark until it is closed, even by a kill. Without locks, the user must avoid two runs."""
    # On NFS, a file opened for reading can only be locked as shared.
    for kind in () if fcntl is None else (fcntl.LOCK_EX, fcntl.LOCK_SH):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            raise _taken(path) from None
        except OSError:
            pass
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(descriptor), os.lstat(mark)):
            return
    raise _taken(path)  # it changed between opening and locking


def _taken(path: str | os.PathLike[str]) -> OutputExists:
    return OutputExists("is being written by another process", path)


def _open(hidden: str, path: str | os.PathLike[str]) -> BinaryIO:
    """Open a new nameless file or, where that is not possible, one with the hidden name."""
    with suppress(AttributeError, OSError):
        return os.fdopen(
            os.open(os.path.dirname(hidden), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), "w+b"
        )
    with _told_of(path):
        return open(hidden, "x+b")


def _ensure_name(file: BinaryIO, hidden: str) -> None:
    """Give a complete file the hidden name if it has none."""
    if os.path.lexists(hidden):
        return
    descriptor = file.fileno()
    try:
        # An absolute path needs no folder, but Python follows the link in /proc only if given one.
        os.link(f"/proc/self/fd/{descriptor}", hidden, src_dir_fd=descriptor, follow_symlinks=True)
    except (OSError, NotImplementedError):  # no /proc, or no hard links on this file system
        with open(hidden, "xb") as copy:
            os.fchmod(copy.fileno(), stat.S_IMODE(os.fstat(descriptor).st_mode))
            file.seek(0)
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fsync(copy.fileno())


def _publish(hidden: str, target: str, path: str | os.PathLike[str]) -> None:
    """Give the file its name unless that was taken meanwhile, which a rename would not notice."""
    try:
        os.link(hidden, target)
    except OSError:
        if os.path.lexists(target):
            raise OutputExists("was created meanwhile (use --force to replace it)", path) from None
        os.rename(hidden, target)  # no hard links on this file system


def _unlink(name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name)
