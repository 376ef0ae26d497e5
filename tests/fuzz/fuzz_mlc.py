"""Coverage-guided fuzzing of mlcfile, `info`, `verify`, `decompress` and the loading of bundles; see README.md."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import atheris

with atheris.instrument_imports(include=["mlcfile", "melcodec_cli"]):
    import melcodec_cli.codec.decompression
    from tests.fuzz import targets


def read_as(target: Callable[[bytes], None], data: bytes) -> None:
    """Whatever the first byte says."""
    target(data[1:])


if __name__ == "__main__":
    read = targets.read_any
    by_name = {target.__name__: target for target in targets.TARGETS}
    if len(sys.argv) > 1 and sys.argv[1] in by_name:
        read = partial(read_as, by_name[sys.argv.pop(1)])
    # An hour of silence is allowed, but the fuzzer has better things to do than to write it.
    melcodec_cli.codec.decompression.MAX_SILENCE_S = 10.0
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
