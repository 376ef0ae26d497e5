"""What a run reports to the user."""

import sys

import pytest

from melcodec_cli.report.record import Record
from melcodec_cli.report.report import Report, print_table


def test_quiet_runs_keep_their_warnings_and_drop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(quiet=True)
    report.notice("mix", "2 channels are mixed down to one")
    report.notice("renderer 1234", "made for renderer 1234")
    report.notice("renderer 1234", "made for renderer 1234")
    assert capsys.readouterr().err == "melcodec: made for renderer 1234\n"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(2.0, "0.5"), (1.0, "1.0"), (0.1, "10"), (0.02, "50"), (0.0, "-")]
)
def test_a_speed_near_that_of_speech_has_a_digit_after_the_point(
    seconds: float, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table([Record("a.wav", "a.mlc", duration_s=1.0, elapsed_s=seconds)], False, sys.stdout)
    assert capsys.readouterr().out.split()[-1] == shown
