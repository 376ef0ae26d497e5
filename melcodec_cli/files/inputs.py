"""Finds the inputs of a run: files that are named, listed in a file, or in folders.

In folders, hidden files are skipped, and links are followed to files but not to folders, which avoids loops. A file
that is named or listed is taken whatever its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from melcodec_cli.errors import MelcodecError, UsageProblem
from melcodec_cli.files.standard import standard_input
from melcodec_cli.files.streams import STDIO


@dataclass(frozen=True)
class Input:
    path: str
    name: str  # from which its output's name below the output folder is derived
    problem: MelcodecError | None = None  # why it cannot be an input


@dataclass(frozen=True)
class Selection:
    """Decides which files to take. A pattern without a slash matches names, one with a slash paths below the folder."""

    suffixes: frozenset[str] | None = None  # None: folders are refused
    include: Sequence[str] = ()  # none: everything
    exclude: Sequence[str] = ()  # folders, too

    def takes(self, path: str) -> bool:
        return not (self.include and not _matches(path, self.include)) and not self.leaves_out(path)

    def leaves_out(self, path: str) -> bool:
        return _matches(path, self.exclude)


def listed_names(files: Sequence[str], files_from: str | None) -> list[str] | None:
    """The names in the list, None without a list. There must be files or a list."""
    if files_from is None:
        if not files:
            raise UsageProblem("missing argument 'FILE...'; name a file, or a list with --files-from")
        return None
    if files_from == STDIO and STDIO in files:
        raise UsageProblem("standard input cannot be both the list and an input")
    return _read_list(files_from)


def _read_list(path: str) -> list[str]:
    """The names in a file ("-": standard input), separated by NUL bytes if it has any, else by line ends."""
    try:
        data = standard_input().read() if path == STDIO else Path(path).read_bytes()
    except OSError as error:
        raise UsageProblem((error.strerror or str(error)).lower(), path) from error
    names = data.split(b"\0" if b"\0" in data else b"\n")
    return [os.path.join(".", STDIO) if name == b"-" else os.fsdecode(name) for name in names if name]


def named(sources: Sequence[str], selection: Selection) -> Iterator[Input]:
    """Inputs that were named. Below the output folder, only the last part of a name counts."""
    for source in sources:
        if source != STDIO and os.path.isdir(source):
            yield from _in_folder(source, "", selection)
        elif source == STDIO or selection.takes(os.path.normpath(source)):
            yield Input(source, os.path.basename(source))


def listed(sources: Sequence[str], selection: Selection) -> Iterator[Input]:
    """Inputs from a list. Below the output folder the whole name counts, without a leading slash."""
    for source in sources:
        name = os.path.normpath(source).lstrip(os.sep)
        if name.split(os.sep)[0] == os.pardir:
            what = "leads out of the current folder and has no place below the output folder"
            advice = "run melcodec from a folder above, or list absolute paths"
            problem = UsageProblem(f"{what}; {advice}", source)
            yield Input(source, name, problem)
        elif os.path.isdir(source):
            yield from _in_folder(source, "" if name == os.curdir else name, selection)
        elif selection.takes(name):
            yield Input(source, name)


def _in_folder(source: str, below: str, selection: Selection) -> Iterator[Input]:
    """A folder's inputs, sorted; `below` is the folder's own name below the output folder."""
    if selection.suffixes is None:
        raise UsageProblem("is a folder; use -r to convert the files in it", source)
    unreadable: list[OSError] = []

    def path_below(folder: str, name: str) -> str:
        return os.path.relpath(os.path.join(folder, name), source)

    for folder, folders, files in os.walk(source, onerror=unreadable.append):
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".") and not selection.leaves_out(path_below(folder, name))
        ]
        for name in sorted(files):
            place = path_below(folder, name)
            if name.startswith(".") or Path(name).suffix.lower() not in selection.suffixes:
                continue
            if selection.takes(place):
                path = os.path.join(folder, name)
                yield Input(path, os.path.join(below, place), _problem_of(path))
    for error in unreadable:
        reason = (error.strerror or str(error)).lower()
        yield Input(error.filename, "", UsageProblem(f"cannot be read: {reason}", error.filename))


def _problem_of(path: str) -> MelcodecError | None:
    """Refuse a pipe or device in a folder, which could keep the whole run waiting."""
    if os.path.exists(path) and not os.path.isfile(path):
        return UsageProblem("is not a regular file", path)
    return None


def _matches(path: str, patterns: Sequence[str]) -> bool:
    name = os.path.basename(path)
    return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)
