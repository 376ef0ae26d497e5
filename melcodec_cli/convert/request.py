"""What a user asks for: one conversion, as plain values that may travel to another machine.

A file is a path, "-" for standard input or output, or a binary file object, which stays its owner's to close.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

from melcodec_cli.audio import RawFormat, format_for
from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.codec.decompression import DecompressSettings
from melcodec_cli.files.streams import STDIO

File: TypeAlias = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True)
class CompressRequest:
    """A recording to an .mlc file."""

    source: File
    target: File
    settings: CompressSettings = field(default_factory=CompressSettings)
    raw: RawFormat | None = None  # of the source, if nothing in it says its format
    bits_per_s: float | None = None  # None: as many as the model has
    options: Mapping[str, int] = field(default_factory=dict)  # of the model, by name
    force: bool = False


@dataclass(frozen=True)
class DecompressRequest:
    """An .mlc file to a recording, in the format `form` or the one that the target's suffix names."""

    source: File
    target: File
    settings: DecompressSettings = field(default_factory=DecompressSettings)
    form: str | None = None
    subtype: str | None = None
    copy_tags: bool = True
    options: Mapping[str, int] = field(default_factory=dict)
    force: bool = False

    @property
    def output_form(self) -> str:
        return self.form or form_of(self.target)


Request: TypeAlias = CompressRequest | DecompressRequest


def name_of(file: File) -> str:
    """For messages and records."""
    return os.fspath(file) if isinstance(file, str | os.PathLike) else str(getattr(file, "name", STDIO))


def form_of(target: File) -> str:
    """The audio format that a name asks for; WAV where there is none."""
    return format_for(target) if isinstance(target, str | os.PathLike) and target != STDIO else "wav"
