"""The command on two short clips and a model of random weights."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, MelcodecError, UsageProblem
from melcodec_cli.evaluate.clips import Clip, clips_of
from melcodec_cli.evaluate.contenders import Coded, Contender
from melcodec_cli.evaluate.metrics import LIKENESS
from melcodec_cli.evaluate.session import Outputs, Session
from melcodec_cli.evaluate.speech import Speech
from tests.evaluate.conftest import CHEAP_JUDGES
from tests.phoenix.systems import PROFILES, lively

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]


def test_a_folder_gives_json_on_stdout_and_the_table_on_stderr(
    tiny_bundle: Path, two_clip_folder: Path, capsys: Capture
) -> None:
    assert (
        main(["evaluate", str(two_clip_folder), "--no-judges", "--bundle", str(tiny_bundle), "--json", "-"])
        == ExitCode.OK
    )
    out, err = capsys.readouterr()
    document = json.loads(out)
    (system,) = document["systems"]
    assert [clip["name"] for clip in system["clips"]] == [
        path.name for path in sorted(two_clip_folder.iterdir())
    ]
    # Eight global indices of 3 bits a chunk of 40 tokens of 10 bits.
    assert system["payload_bits_per_s"] == pytest.approx(250 + 8 * 3 * 25 / 40, rel=0.05)
    assert system["total_bits_per_s"] > system["payload_bits_per_s"]
    assert all(clip["scores"]["log_mel_l1"] > 0 for clip in system["clips"])
    assert system["mean"]["log_mel_l1"]["count"] == 2
    assert {metric["kind"] for metric in document["metrics"]} == {"likeness"}  # the judges were left out
    assert "tiny" in err and "MCD dB" in err


def test_steps_and_bundles_stand_side_by_side(
    tiny_bundle: Path, two_clips: list[str], tmp_path: Path, capsys: Capture
) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(two_clips))
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(tiny_bundle.read_bytes())
    arguments = [
        "--files-from",
        str(listed),
        "--limit",
        "1",
        "--no-judges",
        "--bundle",
        f"{tiny_bundle},{copy}",
    ]
    assert main(["evaluate", *arguments, "--steps", "0,2", "--csv", "-", "-q"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert "tiny" not in err  # no table
    rows = list(csv.DictReader(io.StringIO(out)))
    names = [row.pop("system") for row in rows]
    assert names == ["tiny --steps 0", "tiny --steps 2", "copy --steps 0", "copy --steps 2"]
    for row in rows:
        assert float(row.pop("encode_s")) > 0 and float(row.pop("decode_s")) > 0
    assert rows[0] == rows[2] and rows[1] == rows[3]
    assert rows[0]["mcd_db"] != rows[1]["mcd_db"]


def test_bundles_of_one_file_name_are_told_apart_by_their_paths(tiny_bundle: Path, tmp_path: Path) -> None:
    from melcodec_cli.evaluate.contenders import models

    copy = tmp_path / tiny_bundle.name
    copy.write_bytes(tiny_bundle.read_bytes())
    assert [each.name for each in models([str(tiny_bundle), str(copy)], [None])] == [
        str(tiny_bundle),
        str(copy),
    ]


def test_efforts_are_measured_side_by_side(
    tiny_bundle: Path, two_clips: list[str], tmp_path: Path, capsys: Capture
) -> None:
    arguments = ["--bundle", str(tiny_bundle), "--effort", "1,8", "--no-judges", "--json", "-", "-q"]
    assert main(["evaluate", two_clips[0], *arguments]) == ExitCode.OK
    least, most = json.loads(capsys.readouterr().out)["systems"]
    assert (least["name"], most["name"]) == ("tiny --effort 1", "tiny --effort 8")
    assert least["clips"][0]["scores"]["log_mel_l1"] != most["clips"][0]["scores"]["log_mel_l1"]
    assert main(["evaluate", two_clips[0], "--effort", "most"]) == ExitCode.USAGE
    assert "--effort: 'most' is not a list of whole numbers" in capsys.readouterr().err


def test_the_table_can_be_markdown(tiny_bundle: Path, two_clips: list[str], capsys: Capture) -> None:
    assert (
        main(["evaluate", two_clips[0], "--no-judges", "--bundle", str(tiny_bundle), "--markdown"])
        == ExitCode.OK
    )
    titles, rules, row = capsys.readouterr().out.splitlines()
    assert titles.startswith("| system | payload bit/s | total bit/s |") and row.startswith("| tiny | ")
    assert titles.count("|") == rules.count("|") == row.count("|")


def test_the_judges_have_a_table_of_their_own(
    tiny_bundle: Path, two_clips: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("melcodec_cli.evaluate.session.METRICS", (*LIKENESS[:1], *CHEAP_JUDGES))
    assert main(["evaluate", two_clips[0], "--bundle", str(tiny_bundle), "--markdown"]) == ExitCode.OK
    first, _, second = capsys.readouterr().out.partition("\n\n")
    assert "| Loud % | Louder |" in second and "Loud" not in first and "PESQ" not in second
    assert first.count("\n| tiny |") == second.count("\n| tiny |") == 1


def test_a_missing_package_is_named_in_one_line_with_all_that_it_would_measure(
    tiny_bundle: Path, two_clips: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    needing = tuple(replace(judge, needs="no_such_package") for judge in CHEAP_JUDGES)
    monkeypatch.setattr("melcodec_cli.evaluate.session.METRICS", (*LIKENESS[3:4], *needing))
    assert main(["evaluate", two_clips[0], "--bundle", str(tiny_bundle), "--json", "-", "-q"]) == ExitCode.OK
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith("melcodec: without Loud %, Louder: no_such_package cannot be imported")
    assert [metric["key"] for metric in json.loads(out)["metrics"]] == ["log_mel_l1"]


def test_unreadable_files_are_named_and_left_out(
    tiny_bundle: Path, two_clip_folder: Path, capsys: Capture
) -> None:
    (two_clip_folder / "a.wav").write_bytes(b"no audio at all")
    (two_clip_folder / "b.wav").write_bytes(b"")
    assert (
        main(
            [
                "evaluate",
                str(two_clip_folder),
                "--no-judges",
                "--bundle",
                str(tiny_bundle),
                "--json",
                "-",
                "-q",
            ]
        )
        == ExitCode.OK
    )
    out, err = capsys.readouterr()
    assert len(json.loads(out)["systems"][0]["clips"]) == 2
    assert "left out" in err and "a.wav" in err and "b.wav" in err


def test_a_codec_that_fails_on_every_clip_is_an_error(two_clip_folder: Path, capsys: Capture) -> None:
    class Failing(Contender):
        kind, name = "peer", "failing"

        def code(self, clip: Clip, speech: Speech) -> Coded:
            raise MelcodecError("out of order")

    with pytest.raises(UsageProblem, match="none of the clips"):
        Session(Outputs(), judges=False).run(clips_of([two_clip_folder]), [Failing()])
    assert capsys.readouterr().err.count("out of order") == 2


def test_an_existing_output_is_refused_before_any_work_and_replaced_by_force(
    tiny_bundle: Path, two_clips: list[str], tmp_path: Path
) -> None:
    target = tmp_path / "a.json"
    target.write_text("precious")
    arguments = [
        "evaluate",
        two_clips[0],
        "--no-judges",
        "--bundle",
        str(tiny_bundle),
        "--json",
        str(target),
        "-q",
    ]
    assert main(arguments) == ExitCode.OUTPUT
    assert target.read_text() == "precious"
    assert main([*arguments, "--force"]) == ExitCode.OK
    assert json.loads(target.read_text())["format"] == "melcodec-evaluation-1"


def test_two_runs_are_compared(
    tiny_bundle: Path, two_clips: list[str], tmp_path: Path, capsys: Capture
) -> None:
    names = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for name, steps in zip(names, ("0", "2"), strict=True):
        arguments = ["evaluate", *two_clips, "--no-judges", "--bundle", str(tiny_bundle), "--steps", steps]
        assert main([*arguments, "--json", name, "-q"]) == ExitCode.OK
    assert main(["evaluate", "--compare", *names, "--json", "-"]) == ExitCode.OK
    out, err = capsys.readouterr()
    (found,) = json.loads(out)
    assert (found["first"], found["second"]) == ("tiny --steps 0", "tiny --steps 2")
    assert found["clips"] == 2
    assert "B - A" in err


def test_full_band_recordings_are_measured_to_24_khz(
    tiny_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(96000)
    soundfile.write(tmp_path / "wide.wav", noise, 48000)
    soundfile.write(tmp_path / "narrow.wav", noise[::3], 16000)
    names = [str(tmp_path / f"{name}.wav") for name in ("wide", "narrow")]
    page = tmp_path / "page.html"
    arguments = [
        "evaluate",
        *names,
        "--no-judges",
        "--bundle",
        str(tiny_bundle),
        "--json",
        "-",
        "--out",
        str(page),
        "-q",
    ]
    assert main(arguments) == ExitCode.OK
    wide, narrow = (clip["scores"] for clip in json.loads(capsys.readouterr().out)["systems"][0]["clips"])
    for key in ("full_lsd_db", "energy_8k_16k_db", "energy_16k_24k_db"):
        assert narrow[key] is None
        assert abs(wide[key]) > 0
    assert "to 24 kHz" in page.read_text() and "to 8 kHz" in page.read_text()


def test_music_has_no_figures_of_voices_and_a_page_that_speaks_of_music(
    tiny_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    times_s = np.arange(2 * 44100) / 44100
    soundfile.write(tmp_path / "piece.wav", 0.1 * np.sin(2 * np.pi * 440 * times_s), 44100)
    page, plot = tmp_path / "page.html", tmp_path / "plot.svg"
    arguments = ["evaluate", "--content", "music", str(tmp_path / "piece.wav"), "--no-judges", "-q"]
    outputs = ["--json", "-", "--out", str(page), "--plot", str(plot)]
    assert main([*arguments, "--bundle", str(tiny_bundle), *outputs]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["content"] == "music"
    keys = [metric["key"] for metric in document["metrics"]]
    assert "full_lsd_db" in keys and "pesq_wb" not in keys and "speaker_similarity" not in keys
    text = page.read_text()
    assert "minutes of music" in text and "LSD 0-24k dB" in text and "to 24 kHz" in text
    assert "log-mel L1" in plot.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--against", "mp3"], ExitCode.USAGE, "no peer is called 'mp3'"),
        (["--steps", "many"], ExitCode.USAGE, "--steps"),
        (["--content", "music"], ExitCode.USAGE, "needs a FOLDER or FILE"),
        (["--content", "sound", "--noisy", "."], ExitCode.USAGE, "--noisy is about speech"),
        (["nowhere/"], ExitCode.USAGE, "no such file or folder"),
        (["--bundle", "no-such"], ExitCode.MODEL, "no-such"),
        (["--compare", "a.json", "b.json"], ExitCode.USAGE, "a.json"),
    ],
    ids=[
        "unknown peer",
        "steps in words",
        "no music built in",
        "music in noise",
        "no such folder",
        "no such model",
        "nothing to compare",
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: list[str], code: ExitCode, words: str, only_tiny_bundle: Path, capsys: Capture
) -> None:
    assert main(["evaluate", *arguments]) == code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("melcodec: ") and words in last


def test_a_model_of_several_bit_rates_is_measured_at_each_and_one_of_one_at_its_own(
    tiny_bundle: Path, two_clips: list[str], tmp_path: Path, capsys: Capture
) -> None:
    from melcodec_cli.models.bundle import save_bundle

    live = tmp_path / "small-live.safetensors"
    save_bundle(lively(PROFILES["istft"]), live, "small-live", "CC0-1.0", {})
    arguments = ["evaluate", two_clips[0], "--no-judges", "-q", "--bundle", f"{live},{tiny_bundle}"]
    assert main([*arguments, "--bitrate", "500,3k", "--csv", "-"]) == ExitCode.OK
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["system"] for row in rows] == ["small-live --bitrate 500", "small-live --bitrate 3k", "tiny"]
    first, second, _ = (float(row["payload_bits"]) for row in rows)
    assert second == pytest.approx(6 * first)
    assert main([*arguments, "--bitrate", "700"]) == ExitCode.USAGE
    assert "small-live offers 500, 1k, 1.5k, 2k, 2.5k, 3k bit/s" in capsys.readouterr().err
