"""Means, intervals, and the files that hold them."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.results import COSTS, read_json, write_csv, write_json
from melcodec_cli.evaluate.statistics import Interval, Share, mean_interval, spent, times
from tests.evaluate.conftest import Make


def test_an_interval_holds_its_mean_and_is_the_same_every_time() -> None:
    values = list(np.random.default_rng(0).normal(3, 1, 50))
    interval = mean_interval(values)
    assert interval == mean_interval(values)
    assert interval.low is not None and interval.high is not None and interval.mean is not None
    assert interval.low < interval.mean < interval.high
    # Of fifty values with a deviation of 1 the mean is known to about 1.96 / sqrt(50) either way.
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.std(values) / math.sqrt(50), rel=0.15)


def test_an_interval_leaves_out_what_was_not_defined() -> None:
    interval = mean_interval([1.0, None, math.nan, 3.0])
    assert (interval.mean, interval.count) == (2.0, 2)


def test_an_interval_of_nothing_is_nothing() -> None:
    assert mean_interval([None]).mean is None


def test_bitrate_and_speed_are_of_all_clips_together(make: Make) -> None:
    system = make([1.0, 2.0], [1.0, 1.0]).systems[0]
    assert [system.mean(key).mean for key in COSTS] == pytest.approx([250, 600, 0.01, 0.02])


def test_in_the_mean_rate_a_long_clip_counts_for_more_and_the_interval_runs_between_its_clips(
    make: Make,
) -> None:
    system = make([1.0, 2.0], [1.0, 1.0]).systems[0]
    system.clips[1] = replace(system.clips[0], name="long", duration_s=8.0, payload_bits=1000)  # 125 bit/s
    found = system.mean("payload_bits_per_s")
    assert (found.mean, found.low, found.high) == (150, 125, 250)  # 1500 bits in 10 s


def test_times_real_time_are_the_inverse_of_the_share_of_it_and_undefined_for_nothing() -> None:
    assert times(Interval(0.02, 0.01, 0.05, 3)) == Interval(50, 20, 100, 3)
    assert times(mean_interval([0.0, 0.0])).mean is spent(mean_interval([0.0])).mean is None


def test_json_comes_back_as_it_was(make: Make, tmp_path: Path) -> None:
    written = replace(make([1.0, None], [0.5, 2.0]), content="music")
    path = tmp_path / "a.json"
    with path.open("w") as file:
        write_json(written, file)
    read = read_json(path)
    assert read.content == "music"
    assert read.to_json()["systems"][0]["clips"] == written.to_json()["systems"][0]["clips"]
    assert (read.metrics, read.missing, read.keys) == (written.metrics, written.missing, ["good", "bad"])
    document = json.loads(path.read_text())
    assert document["systems"][0]["mean"]["good"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "count": 1}
    assert document["systems"][0]["bitstream_id"] == "01020304"
    assert document["systems"][0]["total_bits_per_s"] == 600
    assert document["systems"][0]["mean"]["total_bits_per_s"] == {
        "mean": 600,
        "low": 600,
        "high": 600,
        "count": 2,
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "melcodec-evaluation-1"}', '{"format": "another"}',
             '{"format": "melcodec-evaluation-1", "systems": []}'],
    ids=["nothing", "a list", "no format", "only a format", "another format", "no systems"],
)  # fmt: skip
def test_json_of_something_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(UsageProblem, match=r"b\.json"):
        read_json(path)


def test_csv_has_a_row_for_every_clip_and_nothing_where_nothing_was_defined(make: Make) -> None:
    file = io.StringIO()
    write_csv(make([1.0, None], [0.5, 2.0]), file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [(row["clip"], row["good"], row["bad"]) for row in rows] == [
        ("clip 0", "1.0", "0.5"),
        ("clip 1", "", "2.0"),
    ]
    assert {row["system"] for row in rows} == {"model"}


def test_errors_are_added_up_over_clips_before_they_are_divided(make: Make) -> None:
    (system,) = make([0.0, 100.0], [0.0, 0.0]).systems
    shares = [Share(0, 30), Share(2, 2)]
    system.clips[:] = [
        replace(clip, shares={"good": share}) for clip, share in zip(system.clips, shares, strict=True)
    ]
    found = system.mean("good")
    assert found.mean == pytest.approx(100 * 2 / 32)  # not the 50 of two clips that count alike
    assert (found.low, found.high, found.count) == (0, 100, 2)


def test_errors_of_a_clip_without_anything_to_divide_by_count_all_the_same(make: Make) -> None:
    (system,) = make([50.0, None], [0.0, 0.0]).systems
    system.clips[0] = replace(system.clips[0], shares={"good": Share(5, 10)})
    system.clips[1] = replace(system.clips[1], shares={"good": Share(1, 0)})
    assert system.mean("good").mean == pytest.approx(60)


def test_shares_come_back_from_json_and_stand_in_csv(make: Make, tmp_path: Path) -> None:
    evaluation = make([50.0, None], [1.0, 1.0])
    clips = evaluation.systems[0].clips
    clips[0] = replace(clips[0], shares={"good": Share(5, 10)})
    path = tmp_path / "a.json"
    with path.open("w") as file:
        write_json(evaluation, file)
    assert read_json(path).systems[0].clips == clips
    text = io.StringIO()
    write_csv(evaluation, text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert [(row["good:errors"], row["good:of"]) for row in rows] == [("5", "10"), ("", "")]


def test_json_of_before_there_were_judges_and_music_is_read(make: Make, tmp_path: Path) -> None:
    document = json.loads(json.dumps(make([1.0], [1.0]).to_json()))
    del document["content"]
    for metric in document["metrics"]:
        del metric["kind"]
    for clip in document["systems"][0]["clips"]:
        del clip["shares"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document))
    read = read_json(path)
    assert {metric["kind"] for metric in read.metrics} == {"likeness"}
    assert read.systems[0].clips[0].shares == {}
    assert read.content == "speech"
