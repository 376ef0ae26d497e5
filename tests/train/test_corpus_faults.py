"""Each fault of a corpus is reported in one line."""

from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.train.corpus import open_corpus
from tests.train.recordings import record

pytestmark = pytest.mark.slow


def test_bad_files_are_named_once_each_and_again_by_a_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech = tmp_path / "speech"
    for speaker in "abc":
        record(speech / speaker / "good.wav", seconds=1)
        (speech / speaker / "broken.wav").write_bytes(b"RIFF nothing")
    arguments = ["--data", str(speech), "--cache", str(tmp_path / "cache"), "--preset", "tiny"]
    (tmp_path / "run").mkdir()
    pack = ["bundle", "pack", str(tmp_path / "run"), str(tmp_path / "b.safetensors"), *arguments]
    for _ in range(2):  # nothing has been trained: both end after the corpus has been opened
        assert main(pack) == 2
        error = capsys.readouterr().err
        for speaker in "abc":
            assert error.count(f"{speaker}/broken.wav: left out: ") == 1
        assert "the stage phones has not been trained" in error
    corpus = open_corpus([speech], tmp_path / "cache", 16000, 1)
    assert len(corpus.left_out) == 3
    assert sum(clip.speed == 1 for clip in corpus.clips) == 3


@pytest.mark.parametrize(
    "files, named",
    [
        ({}, "no audio found in"),
        ({"a.wav": b"RIFF nothing"}, "can be read as audio"),
        ({"manifest.csv": b"file,speaker\na.wav,a\n"}, "no column named path"),
        ({"manifest.csv": b""}, "no column named path"),
        ({"manifest.csv": b"path,speaker\n\xff.wav,a\n"}, "is not a CSV file in UTF-8"),
        ({"manifest.csv": b"speaker,path\na\n"}, "no audio found in"),
    ],
    ids=["empty", "no audio", "no path", "no header", "not UTF-8", "no file in the row"],
)
@pytest.mark.parametrize("command", ["train", "pack"])
def test_an_unusable_corpus_is_reported_in_a_line_without_traceback(
    command: str, files: dict[str, bytes], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech, run = tmp_path / "speech", tmp_path / "run"
    speech.mkdir()
    run.mkdir()
    for name, content in files.items():
        (speech / name).write_bytes(content)
    arguments = ["--preset", "tiny", "--data", str(speech), "--cache", str(tmp_path / "cache")]
    if command == "train":
        assert main(["train", "coder", *arguments, "--run", str(run), "--steps", "1", "--device", "cpu"]) == 2
    else:
        assert main(["bundle", "pack", str(run), str(tmp_path / "b.safetensors"), *arguments]) == 2
    assert named in capsys.readouterr().err.splitlines()[-1]
