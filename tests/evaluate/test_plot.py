"""Rate against quality, as SVG."""

import re
from xml.etree import ElementTree

import pytest

from melcodec_cli.evaluate.plot import NARROW, WIDE, Point, rate_quality_svg

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


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_labels_cover_neither_each_other_nor_the_edge(width: int) -> None:
    crowd = [Point(f"system {number}", "peer", 3000 + 10 * number, 1.5, 1.4, 1.6) for number in range(3)]
    svg = ElementTree.fromstring(
        rate_quality_svg([OURS, *PEERS, *crowd, REFERENCE], "PESQ-WB", "higher", width)
    )
    labels = [text for text in svg.iter("text") if text.get("class")]
    places = [
        (float(text.get("x", 0)), float(text.get("y", 0)), 7.2 * len(text.text or "")) for text in labels
    ]
    assert len(places) == 9
    for number, (x, y, across) in enumerate(places):
        assert x >= 0 and x + across <= width
        for other_x, other_y, other_across in places[:number]:
            assert x >= other_x + other_across or other_x >= x + across or abs(y - other_y) >= 12


def test_a_label_far_from_its_point_is_joined_to_it() -> None:
    crowd = [Point(f"system {number}", "peer", 3000 + 10 * number, 1.5, 1.4, 1.6) for number in range(5)]
    svg = ElementTree.fromstring(rate_quality_svg(crowd, "PESQ-WB", "higher", NARROW))
    leaders = [line for line in svg.iter("line") if line.get("class") == "leader"]
    points = circles(ElementTree.tostring(svg, encoding="unicode"))
    assert leaders
    assert all((float(line.get("x1", 0)), float(line.get("y1", 0))) in points for line in leaders)


@pytest.mark.parametrize("points", [[], [REFERENCE]], ids=["nothing", "no rate"])
def test_without_a_rate_there_is_no_plot(points: list[Point]) -> None:
    assert rate_quality_svg(points, "PESQ-WB", "higher") == ""


def test_one_point_alone_is_drawn() -> None:
    assert len(circles(rate_quality_svg([Point("a", "melcodec", 250, 1, 1, 1)], "PESQ-WB", "higher"))) == 1
