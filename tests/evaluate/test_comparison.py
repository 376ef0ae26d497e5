"""Paired differences: what is shown by them, and what is not."""

from dataclasses import replace

import pytest

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.comparison import compare
from melcodec_cli.evaluate.statistics import Share
from tests.evaluate.conftest import Make

# Clips differ among themselves far more than the two models do, which hides a difference of means but not of pairs.
CLIPS: list[float | None] = [1.0, 5.0, 2.0, 9.0, 4.0, 7.0, 3.0, 8.0]


def moved(by: float) -> list[float | None]:
    return [value + by for value in CLIPS if value is not None]


def test_a_small_steady_gain_is_better_in_one_metric_and_worse_in_the_other(make: Make) -> None:
    (found,) = compare(make(CLIPS, CLIPS), make(moved(0.1), moved(0.1)))
    assert [each.verdict for each in found.differences[:2]] == ["better", "worse"]
    assert [each.difference.mean for each in found.differences[:2]] == pytest.approx([0.1, 0.1])
    assert (found.clips, found.differences[0].first, found.differences[0].second) == (8, 4.875, 4.975)


def test_differences_that_go_both_ways_are_unclear(make: Make) -> None:
    both_ways = [value + (0.5 if number % 2 else -0.45) for number, value in enumerate(moved(0))]  # type: ignore[operator]
    (found,) = compare(make(CLIPS, CLIPS), make(both_ways, both_ways))
    assert {each.verdict for each in found.differences} == {"unclear"}


def test_fewer_bits_are_better_and_times_count_on_one_machine_only(make: Make) -> None:
    after = make(CLIPS, CLIPS)
    clips = after.systems[0].clips
    clips[:] = [replace(clip, total_bits=1100, decode_s=0.05) for clip in clips]
    (found,) = compare(make(CLIPS, CLIPS), after)
    verdicts = {each.key: each.verdict for each in found.differences}
    assert verdicts["total_bits_per_s"] == "better"
    assert verdicts["payload_bits_per_s"] == "unclear"
    assert verdicts["decode_share_of_real_time"] == "worse"
    (elsewhere,) = compare(make(CLIPS, CLIPS), replace(after, machine="another"))
    assert not any("time" in each.key for each in elsewhere.differences)


def test_what_is_best_at_zero_is_compared_by_how_far_it_is_from_there(make: Make) -> None:
    before, after = make(CLIPS, CLIPS), make([-0.5 * value for value in moved(0)], CLIPS)  # type: ignore[operator]
    for each in (before, after):
        each.metrics[0] = {**each.metrics[0], "better": "zero"}
    (found,) = compare(before, after)
    assert found.differences[0].label == "|Good|"
    assert found.differences[0].verdict == "better"
    assert found.differences[0].difference.mean == pytest.approx(-4.875 / 2)


def test_three_clips_decide_nothing(make: Make) -> None:
    (found,) = compare(make(CLIPS[:3], CLIPS[:3]), make(moved(1)[:3], moved(1)[:3]))
    assert {each.verdict for each in found.differences} == {"unclear"}


def test_only_clips_that_both_have_are_compared(make: Make) -> None:
    (found,) = compare(make(CLIPS, CLIPS), make([*moved(1)[:6], None], [*moved(1)[:6], None]))
    assert (found.clips, found.differences[0].difference.count) == (7, 6)


def test_models_of_two_names_are_compared_with_each_other(make: Make) -> None:
    (found,) = compare(make(CLIPS, CLIPS, "old"), make(CLIPS, CLIPS, "new"))
    assert (found.first, found.second) == ("old", "new")
    assert {each.verdict for each in found.differences} == {"unclear"}


def test_runs_on_other_clips_are_refused(make: Make) -> None:
    other = make(CLIPS, CLIPS)
    for number, clip in enumerate(other.systems[0].clips):
        other.systems[0].clips[number] = type(clip)(**{**vars(clip), "name": f"other {number}"})
    with pytest.raises(UsageProblem, match="not measured on the same clips"):
        compare(make(CLIPS, CLIPS), other)


def test_errors_of_all_clips_together_are_compared_rather_than_the_mean_of_the_clips(make: Make) -> None:
    """One long clip gets better by much, eight short ones worse by a word each: of all words fewer are wrong."""
    before, after = make([50.0] * 9, [0.0] * 9), make([50.0] * 9, [0.0] * 9)
    for each, errors in ((before, [500, *[1] * 8]), (after, [300, *[2] * 8])):
        each.metrics[0] = {**each.metrics[0], "better": "lower"}
        wholes = [1000, *[10] * 8]
        clips = each.systems[0].clips
        clips[:] = [
            replace(clip, shares={"good": Share(wrong, of)})
            for clip, wrong, of in zip(clips, errors, wholes, strict=True)
        ]
    (found,) = compare(before, after)
    assert (found.differences[0].first, found.differences[0].second) == pytest.approx(
        (100 * 508 / 1080, 100 * 316 / 1080)
    )
    assert found.differences[0].difference.mean == pytest.approx(100 * (316 - 508) / 1080)
    assert found.differences[0].verdict == "unclear"  # it hangs on one clip


def test_fewer_errors_on_every_clip_are_better(make: Make) -> None:
    before, after = make([50.0] * 9, [0.0] * 9), make([40.0] * 9, [0.0] * 9)
    for each, errors in ((before, 5), (after, 4)):
        each.metrics[0] = {**each.metrics[0], "better": "lower"}
        clips = each.systems[0].clips
        clips[:] = [replace(clip, shares={"good": Share(errors, 10)}) for clip in clips]
    (found,) = compare(before, after)
    assert found.differences[0].verdict == "better"
    assert found.differences[0].difference.mean == pytest.approx(-10)
