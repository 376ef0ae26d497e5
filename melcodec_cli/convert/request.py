"""Requests for one conversion each, as plain values that can be sent to another machine.

A file is a path, "-" for standard input or output, or a binary file object, which its owner closes.
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
    """Asks to compress a recording to an .mlc file."""

    source: File
    target: File
    settings: CompressSettings = field(default_factory=CompressSettings)
    raw: RawFormat | None = None  # the source's format, if it has no header
    bits_per_s: float | None = None  # None: all that the model produces
    options: Mapping[str, int] = field(default_factory=dict)  # the model's, by name
    force: bool = False


@dataclass(frozen=True)
class DecompressRequest:
    """Asks to decompress an .mlc file, to the format `form` or that of the target's suffix."""

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
    """The file's name in messages and records."""
    return os.fspath(file) if isinstance(file, str | os.PathLike) else str(getattr(file, "name", STDIO))


def form_of(target: File) -> str:
    """The audio format that the target's suffix asks for; WAV if it has no name."""
    return format_for(target) if isinstance(target, str | os.PathLike) and target != STDIO else "wav"
