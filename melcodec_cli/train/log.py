"""The log of a run, as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from melcodec_cli.files.atomic import output_file


class Log:
    """CSV of dev figures; a resumed run continues the file, without the rows that it will write again."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if step and path.exists():
            with path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]

    def write(self, row: dict[str, float]) -> None:
        self.rows.append({k: f"{v:.6g}" for k, v in row.items()})
        names = list(dict.fromkeys(name for kept in self.rows for name in kept))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(self.rows)
        with output_file(self.path, force=True) as file:
            file.write(text.getvalue().encode())
