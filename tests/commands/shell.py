"""What the tests of commands look at."""

from pathlib import Path
from typing import Any


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def last_line(capture: Any) -> str:
    return str(capture.readouterr().err).splitlines()[-1]
