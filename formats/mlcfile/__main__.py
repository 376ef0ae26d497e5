"""`python -m mlcfile FILE`: headers and blocks as JSON, damage included."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .dump import dump
from .errors import MlcError
from .tables import unpack_tables


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mlcfile", description="Print an .mlc file as JSON.")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--indices", action="store_true", help="print the indices of every chunk too")
    parser.add_argument("--tables", metavar="TABLES", help="the tables of an entropy-coded file")
    arguments = parser.parse_args()
    try:
        tables = unpack_tables(Path(arguments.tables).read_bytes()) if arguments.tables else None
        with open(arguments.file, "rb") as file:
            streams = dump(file, conceal=True, indices=arguments.indices, tables=tables)
    except (MlcError, OSError, ValueError) as error:
        print(f"mlcfile: {arguments.file}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(streams, indent=2, ensure_ascii=False))
    return 1 if any("damage" in stream for stream in streams) else 0


if __name__ == "__main__":
    sys.exit(main())
