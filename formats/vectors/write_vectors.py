"""Writes the golden files and their descriptions: `python write_vectors.py [FOLDER]`.

The bytes are the same on every run. Files that a released version has written are never changed, only added to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import broken_blocks
import broken_contents
import broken_entropy
import broken_headers
import broken_live
import good
import newer
import tables
from assembly import Broken
from mlcfile import pack_tables


def main(folder: Path) -> None:
    for name, about, streams in good.files():
        data = b"".join(stream.bytes() for stream in streams)
        write_good(folder, name, about, data, [stream.description() for stream in streams])
    for name, about, data, described in newer.files():
        write_good(folder, name, about, data, described)
    for module in (broken_headers, broken_blocks, broken_contents, broken_entropy, broken_live):
        write_broken(folder, module.files())
    for name, made in tables.NAMED.items():
        path = folder / "tables" / f"{name}.tables"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack_tables(made))


def write_broken(folder: Path, cases: Iterable[Broken]) -> None:
    for case in cases:
        told = {"rule": case.rule, "error": case.error, "message": case.message, "chunks": case.chunks}
        write(folder / "broken" / case.name, case.data, told)


def write_good(folder: Path, name: str, about: str, data: bytes, streams: list[good.Content]) -> None:
    write(folder / "good" / name, data, {"about": about, "size": len(data), "streams": streams})


def write(path: Path, data: bytes, described: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".mlc").write_bytes(data)
    path.with_suffix(".json").write_text(render(described) + "\n", encoding="utf-8")


def render(value: Any, indent: str = "") -> str:
    """JSON with a line for every field and every block, but not for every index."""
    deeper = indent + "  "
    if isinstance(value, dict) and ("blocks" in value or not indent):
        fields = ",\n".join(
            f"{deeper}{json.dumps(key)}: {render(item, deeper)}" for key, item in value.items()
        )
        return f"{{\n{fields}\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = ",\n".join(deeper + render(item, deeper) for item in value)
        return f"[\n{items}\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
