"""What a run reports to the user."""

import pytest

from melcodec_cli.report.report import Report


def test_quiet_runs_keep_their_warnings_and_drop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(quiet=True)
    report.notice("mix", "2 channels are mixed down to one")
    report.notice("renderer 1234", "made for renderer 1234")
    report.notice("renderer 1234", "made for renderer 1234")
    assert capsys.readouterr().err == "melcodec: made for renderer 1234\n"
