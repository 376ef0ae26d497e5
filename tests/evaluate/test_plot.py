"""Rate against quality, as SVG."""

import re
from xml.etree import ElementTree

import pytest

from melcodec_cli.evaluate.plot import MIDDLE, NARROW, WIDE, Point, rate_quality_svg

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


@pytest.mark.parametrize("width", [WIDE, MIDDLE, NARROW])
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
            beside = max(x - other_x - other_across, other_x - x - across)
            assert beside >= 4 or abs(y - other_y) >= 17  # letters are 12 high, and 4 stay free around them


def test_a_label_far_from_its_point_is_joined_to_it() -> None:
    crowd = [Point(f"system {number}", "peer", 3000 + 10 * number, 1.5, 1.4, 1.6) for number in range(9)]
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


def test_among_as_many_systems_as_there_are_to_compare_with_no_label_is_on_a_point_or_a_line() -> None:
    """Those of a run against all peers, on a phone; a label that finds no place would lie on what is there."""
    rates = {450: 1.25, 700: 1.34, 1200: 1.55, 2399: 1.61, 3198: 1.76, 5695: 2.21, 2403: 1.51, 4005: 1.77}
    crowd = [
        Point(f"codec {rate}", "peer", rate, mean, mean - 0.2, mean + 0.2) for rate, mean in rates.items()
    ]
    svg = ElementTree.fromstring(rate_quality_svg([OURS, *crowd, REFERENCE], "PESQ-WB", "higher", NARROW))
    labels = [text for text in svg.iter("text") if text.get("class")]
    leaders = [line for line in svg.iter("line") if line.get("class") == "leader"]
    ways = [
        (x1 + step / 50 * (x2 - x1), y1 + step / 50 * (y2 - y1))
        for x1, x2, y1, y2 in (
            [float(line.get(name, 0)) for name in ("x1", "x2", "y1", "y2")] for line in leaders
        )
        for step in range(10, 45)
    ]
    for label in labels:
        left, base, across = float(label.get("x", 0)), float(label.get("y", 0)), 7.2 * len(label.text or "")
        for x, y in [*circles(ElementTree.tostring(svg, encoding="unicode")), *ways]:
            assert not (left < x < left + across and base - 10 < y < base + 2), label.text
