"""The log of a run, as CSV."""

from __future__ import annotations

import csv
import os
from pathlib import Path


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
        part = self.path.with_suffix(".part")
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(part, self.path)
