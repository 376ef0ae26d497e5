"""A part of a corpus, copied to train elsewhere; and presets with a setting changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, UsageProblem
from melcodec_cli.train.folders import index_folders
from melcodec_cli.train.presets import read_preset
from tests.sounds import noise, wav

CLIP = wav(noise(0.1))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Sixty clips of each of three sources, two of them for measuring."""
    folder = tmp_path / "speech"
    folder.mkdir()
    lines = ["path,source,speaker,language,licence,split,text"]
    for source in ("rare", "common", "bought"):
        for number in range(60):
            (folder / f"{source}{number}.wav").write_bytes(CLIP)
            split = "dev" if number < 2 else "train"
            lines.append(f"{source}{number}.wav,{source},{number % 5},en,CC0-1.0,{split},word {number}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "mine.toml").write_text(
        '[profile]\nname = "mine"\n[corpus.weights]\nrare = 6.0\ncommon = 1.0\nbought = 0.0\n'
    )
    return folder


def test_a_sample_holds_what_weighs_most_within_its_size(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into, megabytes = tmp_path / "packed", 40 * len(CLIP) / 1e6
    arguments = ["train", "sample", str(into), "--data", str(corpus), "--preset", str(tmp_path / "mine.toml")]
    assert main([*arguments, "--megabytes", str(megabytes)]) == 0
    assert capsys.readouterr().out == f"{into}: 38 clips to train on, 2 to measure by\n"
    clips = index_folders([into])
    sources = [clip.source for clip in clips if clip.split == "train"]
    assert set(sources) == {"rare", "common"} and sources.count("rare") > 2 * sources.count("common")
    assert all(Path(clip.path).read_bytes() == CLIP for clip in clips)
    whole = {(clip.speaker, clip.licence, clip.text, clip.language) for clip in index_folders([corpus])}
    assert {(clip.speaker, clip.licence, clip.text, clip.language) for clip in clips} <= whole

    assert main([*arguments, "--megabytes", str(megabytes)]) == ExitCode.OUTPUT
    assert "is not empty; name another folder" in capsys.readouterr().err


def test_a_sample_of_no_clip_is_refused(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "sample", str(tmp_path / "packed"), "--data", str(corpus), "--megabytes", "0.001"]
    assert main(arguments) == ExitCode.USAGE
    assert "no audio of the training split takes less than 1000 bytes" in capsys.readouterr().err
    assert not (tmp_path / "packed").exists()


def test_settings_of_a_preset_can_be_changed() -> None:
    changed = read_preset(
        "tiny", ["stages.vocoder.run.batch=64", "profile.name=mine", "corpus.speed_copies = 1"]
    )
    assert changed.stages["vocoder"].run.batch == 64
    assert (changed.profile["name"], changed.corpus.speed_copies) == ("mine", 1)
    assert read_preset("tiny").stages["vocoder"].run.batch != 64


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("stages.vocoder.run.batch", "'stages.vocoder.run.batch' is not KEY=VALUE"),
        ("batch=64", "'batch=64' is not KEY=VALUE, such as stages.vocoder.run.batch=64"),
        ("stages.vocoder.run.bach=64", "stages.vocoder.run has no setting bach"),
        (
            "stages.vocoder.run.batch.size=64",
            "stages.vocoder.run.batch.size: batch is not a table of settings",
        ),
        ("stages.vocoder.run.batch=many", "stages.vocoder.run.batch must be of type int"),
    ],
)
def test_a_change_that_cannot_be_made_is_named(change: str, complaint: str) -> None:
    with pytest.raises(UsageProblem, match=complaint.replace(".", r"\.")):
        read_preset("tiny", [change])
