"""What a run reports on the way."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from melcodec_cli.train.run import Run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("config", "step", "elapsed_s", "left"),
    [
        ({"steps": 0, "minutes": 2.0}, 7, 121.0, "0.0 min left"),
        ({"steps": 0, "minutes": 2.0}, 7, 90.0, "0.5 min left"),
        ({"steps": 100, "minutes": 2.0}, 100, 0.0, "0.0 min left"),
    ],
)
def test_the_time_left_is_never_negative(
    capsys: pytest.CaptureFixture[str], config: dict[str, float], step: int, elapsed_s: float, left: str
) -> None:
    run = SimpleNamespace(config=SimpleNamespace(**config), step=step, elapsed_s=elapsed_s)
    Run._show(cast(Any, run), {"loss": 1.0}, 2.0)
    line = capsys.readouterr().err
    assert line.endswith(f" {left}\n") and "-" not in line
