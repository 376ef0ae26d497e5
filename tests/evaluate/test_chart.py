"""The chart of an earlier run, as a file of its own."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, UsageProblem
from melcodec_cli.evaluate.chart import chart_svg
from melcodec_cli.evaluate.results import write_json
from tests.evaluate.conftest import Make

SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_is_a_whole_file_with_a_panel_for_each_metric(make: Make) -> None:
    svg = ElementTree.fromstring(chart_svg(make([1.0, 2.0], [1.0, 1.0]), ["good", "bad"]))
    panels = svg.findall(f"{SVG}g/{SVG}svg")
    assert [panel.get("aria-label") for panel in panels] == [
        "Good against bits per second, higher is better",
        "Bad against bits per second, lower is better",
    ]
    assert svg.find(f"{SVG}style") is not None


def test_a_metric_that_was_not_measured_is_refused_with_those_that_were(make: Make) -> None:
    with pytest.raises(UsageProblem, match="'better' is not measured; there are good, bad"):
        chart_svg(make([1.0], [1.0]), ["better"])


def test_an_earlier_run_is_plotted_and_printed_again_without_measuring(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier, plot = tmp_path / "earlier.json", tmp_path / "quality.svg"
    with earlier.open("w") as file:
        write_json(make([1.0, 2.0], [1.0, 1.0]), file)
    arguments = ["--from", str(earlier), "--plot", str(plot), "--plot-metrics", "good", "--json", "-", "-q"]
    assert main(["evaluate", *arguments]) == ExitCode.OK
    assert ElementTree.parse(plot).getroot().tag == f"{SVG}svg"
    again = json.loads(capsys.readouterr().out)
    assert again["systems"][0]["clips"] == json.loads(earlier.read_text())["systems"][0]["clips"]
    assert main(["evaluate", "--from", str(earlier), "--plot", str(plot)]) == ExitCode.OUTPUT
    assert main(["evaluate", "--from", str(earlier), "--out", str(tmp_path / "page.html")]) == ExitCode.USAGE
