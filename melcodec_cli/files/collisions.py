"""Finds outputs that would be the same file: by name, or because the file system treats two names alike."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple
from unicodedata import normalize

from melcodec_cli.errors import UsageProblem
from melcodec_cli.files.streams import STDIO

# Unicode's composed and decomposed forms.
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


class Ignored(NamedTuple):
    """The differences between names that a file system ignores."""

    case: bool = False
    form: bool = False  # in Unicode: an accent as part of its letter, or after it

    def plain(self, name: str) -> str:
        """A name that is equal for all names of one file."""
        name = name.lower() if self.case else name
        return normalize("NFC", name) if self.form else name


def refuse_collisions(files: Iterable[tuple[str, str]], may_write: bool = True) -> None:
    """files: pairs (source, target); may_write: whether a file may be written to test the file system."""
    alike: dict[str, list[tuple[str, str]]] = {}  # by target, without what a file system may ignore
    everything = Ignored(True, True)
    for source, target in files:
        path = STDIO if target == STDIO else os.path.abspath(target)
        others = alike.setdefault(everything.plain(path), [])
        for other, other_path in others:
            if path == other_path:
                raise UsageProblem(f"{other} and {source} would both become {target}")
            if _are_one(path, other_path, may_write):
                difference = "whose file system ignores the difference between their names"
                raise UsageProblem(f"{other} and {source} would both become {target}, {difference}")
        others.append((source, path))


def _are_one(path: str, other: str, may_write: bool) -> bool:
    folder, other_folder = _existing(path), _existing(other)
    if not folder.samefile(other_folder):
        return False
    ignored = ignored_in(folder) if may_write else seen_ignored_in(folder)
    below, other_below = os.path.relpath(path, folder), os.path.relpath(other, other_folder)
    return ignored.plain(below) == ignored.plain(other_below)


def _existing(path: str) -> Path:
    """The nearest folder above the path that already exists."""
    return next(folder for folder in Path(path).parents if folder.is_dir())


@lru_cache
def ignored_in(folder: Path) -> Ignored:
    """Find out with a temporary file, looked up under other names."""
    try:
        with TemporaryDirectory(prefix=".melcodec-", dir=folder) as trial:
            Path(trial, "a\u00e9").touch()
            return Ignored(Path(trial, "A\u00e9").exists(), Path(trial, "ae\u0301").exists())
    except OSError:  # nothing can be written there, which will fail anyway
        return Ignored()


def seen_ignored_in(folder: Path) -> Ignored:
    """Find out without writing, by looking up existing files under other names."""
    ignored = Ignored()
    with suppress(OSError):
        for name in os.listdir(folder):
            there = (folder / name).exists()
            ignored = Ignored(
                ignored.case or (there and _is_found(folder, name, name.swapcase())),
                ignored.form
                or (there and any(_is_found(folder, name, normalize(form, name)) for form in FORMS)),
            )
    return ignored


def _is_found(folder: Path, name: str, other: str) -> bool:
    return other != name and (folder / other).exists() and (folder / other).samefile(folder / name)
