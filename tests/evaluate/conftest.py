"""Results made up, so that what is said of them can be known, and a run of the command on very little speech."""

from collections.abc import Callable
from pathlib import Path

import pytest

from melcodec_cli.evaluate.clips import BUILT_IN
from melcodec_cli.evaluate.results import ClipResult, Evaluation, SystemResult

METRICS = [
    {"key": "good", "label": "Good", "better": "higher", "means": "up is better"},
    {"key": "bad", "label": "Bad", "better": "lower", "means": "down is better"},
]
Make = Callable[..., Evaluation]


def clip(number: int, good: float | None, bad: float | None) -> ClipResult:
    return ClipResult(f"clip {number}", 2.0, 1200, 500, 0.02, 0.04, {"good": good, "bad": bad})


def evaluation(good: list[float | None], bad: list[float | None], name: str = "model") -> Evaluation:
    clips = [clip(number, *scores) for number, scores in enumerate(zip(good, bad, strict=True))]
    system = SystemResult(name, "melcodec", 0.0, clips, {"bitstream_id": "01020304"})
    return Evaluation("1.0", "a machine", list(METRICS), {"codec2": "c2enc not installed"}, [system])


@pytest.fixture
def make() -> Make:
    return evaluation


@pytest.fixture(scope="session")
def two_clips() -> list[str]:
    """Short ones."""
    return [str(BUILT_IN / f"speechocean762-{name}.opus") for name in ("027400171", "027400246")]


@pytest.fixture
def two_clip_folder(two_clips: list[str], tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    folder.mkdir()
    for path in two_clips:
        (folder / Path(path).name).write_bytes(Path(path).read_bytes())
    return folder
