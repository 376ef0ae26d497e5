"""The delay of a paced pipe, found from when frames went in and samples came out."""

from __future__ import annotations

import pytest

from melcodec_cli.bench.live import _delays


def test_a_frame_is_through_when_all_but_the_look_ahead_has_come() -> None:
    hop, ahead = 100, 150
    sent_s = [0.0, 0.1, 0.2, 0.3]
    arrivals = [(-1.0, 2 * hop - ahead)]  # of frames before
    arrivals += [
        (began_s + late_s, (3 + number) * hop - ahead)
        for number, (began_s, late_s) in enumerate(zip(sent_s, (0.02, 0.01, 0.05, 0.01), strict=True))
    ]
    found = _delays(sent_s, arrivals, hop)
    assert found.frames == 4
    assert (found.median_s, found.longest_s) == (pytest.approx(0.015), pytest.approx(0.05))


def test_frames_that_come_together_are_late_each_by_its_own_time() -> None:
    found = _delays([0.0, 0.1], [(-1.0, 100), (0.15, 300)], 100)
    assert (found.median_s, found.longest_s) == (pytest.approx(0.1), pytest.approx(0.15))
