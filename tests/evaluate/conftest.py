"""Results made up, so that what is said of them can be known, and a run of the command on very little speech."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from melcodec_cli.evaluate.clips import BUILT_IN
from melcodec_cli.evaluate.metrics import Metric
from melcodec_cli.evaluate.results import ClipResult, ContenderResult, Evaluation
from melcodec_cli.evaluate.speech import Speech
from melcodec_cli.evaluate.statistics import Share

METRICS = [
    {"key": "good", "label": "Good", "better": "higher", "means": "up is better", "kind": "likeness"},
    {"key": "bad", "label": "Bad", "better": "lower", "means": "down is better", "kind": "judge"},
]
Make = Callable[..., Evaluation]


def loud(_: Speech, decoded: Speech) -> Share:
    return Share(int((np.abs(decoded.audio) > 0.01).sum()), len(decoded.audio))


def louder(reference: Speech, decoded: Speech) -> float:
    return float(np.square(decoded.audio).mean() - np.square(reference.audio).mean())


# In the place of the real ones where only their table matters: these take no time and no package.
CHEAP_JUDGES = (
    Metric("loud_percent", "Loud %", "lower", 1, loud, means="share of loud samples", kind="judge"),
    Metric("louder", "Louder", "zero", 3, louder, means="power more than the original's", kind="judge"),
)


def clip(number: int, good: float | None, bad: float | None) -> ClipResult:
    return ClipResult(f"clip {number}", 2.0, 1200, 500, 0.02, 0.04, {"good": good, "bad": bad})


def evaluation(good: list[float | None], bad: list[float | None], name: str = "model") -> Evaluation:
    clips = [clip(number, *scores) for number, scores in enumerate(zip(good, bad, strict=True))]
    system = ContenderResult(name, "melcodec", 0.0, clips, {"bitstream_id": "01020304"})
    return Evaluation("1.0", "a machine", list(METRICS), {"codec2": "c2enc not installed"}, [system])


@pytest.fixture
def make() -> Make:
    return evaluation


@pytest.fixture(scope="session")
def two_clips(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Beginnings of two, just long enough for every measure."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"speechocean762-{name}.wav" for name in ("027400171", "027400246")]
    for path in paths:
        audio, rate_hz = soundfile.read(BUILT_IN / f"{path.stem}.opus")
        soundfile.write(path, audio[: 11 * rate_hz // 5], rate_hz)
    return [str(path) for path in paths]


@pytest.fixture
def two_clip_folder(two_clips: list[str], tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    folder.mkdir()
    for path in two_clips:
        (folder / Path(path).name).write_bytes(Path(path).read_bytes())
    return folder
