"""Outputs that would be one file: by name, or because the file system makes no difference between two names."""

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

# Of Unicode: composed and decomposed.
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


class Ignored(NamedTuple):
    """What a file system does not tell names apart by."""

    case: bool = False
    form: bool = False  # of Unicode: an accent as part of its letter, or behind it

    def plain(self, name: str) -> str:
        """The same for all names that are one."""
        name = name.lower() if self.case else name
        return normalize("NFC", name) if self.form else name


def refuse_collisions(files: Iterable[tuple[str, str]], may_write: bool = True) -> None:
    """files: (source, target) each; may_write: whether a file system may be tried out."""
    alike: dict[str, list[tuple[str, str]]] = {}  # by what is left of a target's name anywhere
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
    """The folder that it will lie in, or the first above that is there already."""
    return next(folder for folder in Path(path).parents if folder.is_dir())


@lru_cache
def ignored_in(folder: Path) -> Ignored:
    """Tried out with a file, for which case and form may be looked up; nothing is left of it."""
    try:
        with TemporaryDirectory(prefix=".melcodec-", dir=folder) as trial:
            Path(trial, "a\u00e9").touch()
            return Ignored(Path(trial, "A\u00e9").exists(), Path(trial, "ae\u0301").exists())
    except OSError:  # nothing can be written there, so that will be the trouble
        return Ignored()


def seen_ignored_in(folder: Path) -> Ignored:
    """What can be told without writing anything, by looking up what lies there under other names."""
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
