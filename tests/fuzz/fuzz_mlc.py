"""Coverage-guided fuzzing of the reader of .mlc files, of `info` and `verify`, and of bundles' heads; see README.md."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["mlcfile", "melcodec_cli"]):
    from tests.fuzz.targets import read_any

if __name__ == "__main__":
    atheris.Setup(sys.argv, read_any)
    atheris.Fuzz()
