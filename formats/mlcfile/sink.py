"""Complete writes to any file object."""

from __future__ import annotations

from typing import BinaryIO


def write_all(file: BinaryIO, data: bytes) -> None:
    """Writes all of `data`; a raw file may take it in pieces."""
    view = memoryview(data)
    while view:
        written = file.write(view)
        if written is None:
            raise BlockingIOError("an .mlc stream cannot be written to a non-blocking file")
        view = view[written:]
