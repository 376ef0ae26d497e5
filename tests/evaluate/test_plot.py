"""Rate against quality, as SVG."""

import re
from xml.etree import ElementTree

import pytest

from melcodec_cli.evaluate.plot import Point, rate_quality_svg

OURS = Point("speech-16k", "melcodec", 255, 1.5, 1.45, 1.55)
PEERS = [
    Point(f"codec2 {rate}", "peer", rate, 1.2 + rate / 8000, 1.2, 1.7) for rate in (450, 700, 1200, 2400)
]
REFERENCE = Point("original at 8 kHz", "reference", 0, 3.9, 3.8, 4.0)


def circles(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]


def test_more_bits_are_further_right_and_better_is_further_up() -> None:
    found = circles(rate_quality_svg([OURS, *PEERS, REFERENCE], "PESQ-WB", "higher"))
    assert len(found) == 5
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert [y for _, y in found[1:]] == sorted((y for _, y in found[1:]), reverse=True)


def test_the_drawing_is_sound_xml_in_which_every_system_is_named_once() -> None:
    svg = ElementTree.fromstring(rate_quality_svg([OURS, *PEERS, REFERENCE], "a < b & c", "lower"))
    texts = [text.text for text in svg.iter("text")]
    assert all(texts.count(point.name) == 1 for point in [OURS, *PEERS, REFERENCE])


def test_labels_of_crowded_points_do_not_cover_each_other() -> None:
    crowd = [Point(f"system {number}", "peer", 1000 + 10 * number, 1.5, 1.4, 1.6) for number in range(4)]
    svg = rate_quality_svg([OURS, *crowd], "PESQ-WB", "higher")
    places = [
        (float(x), float(y)) for x, y in re.findall(r'<text class="peer" x="([\d.]+)" y="([\d.]+)"', svg)
    ]
    for number, (x, y) in enumerate(places):
        assert all(abs(x - other_x) > 50 or abs(y - other_y) > 12 for other_x, other_y in places[:number])


@pytest.mark.parametrize("points", [[], [REFERENCE]], ids=["nothing", "no rate"])
def test_without_a_rate_there_is_no_plot(points: list[Point]) -> None:
    assert rate_quality_svg(points, "PESQ-WB", "higher") == ""


def test_one_point_alone_is_drawn() -> None:
    assert len(circles(rate_quality_svg([Point("a", "melcodec", 250, 1, 1, 1)], "PESQ-WB", "higher"))) == 1
