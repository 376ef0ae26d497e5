"""How folders of audio become a corpus: speakers, splits, and what a cache may keep."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from melcodec_cli.audio.suffixes import AUDIO_SUFFIXES
from melcodec_cli.cli import main
from melcodec_cli.errors import OutputExists, UsageProblem
from melcodec_cli.files.atomic import output_file
from melcodec_cli.train.batches import Batches, dev_crops
from melcodec_cli.train.corpus import Corpus, open_corpus
from melcodec_cli.train.folders import UNKNOWN_LICENCE, Clip, index_folders
from melcodec_cli.train.presets import read_preset
from tests.train.recordings import record

pytestmark = pytest.mark.slow


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def splits(clips: list[Clip]) -> dict[str, str]:
    """Speaker -> the only split that the speaker is in."""
    pairs = {(clip.speaker, clip.split) for clip in clips}
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def listed(folder: Path, *rows: str, columns: str = "path,source,speaker,licence,split") -> Path:
    (folder / "manifest.csv").write_text("\n".join([columns, *rows]))
    return folder


def whole(corpus: Corpus, number: int) -> np.ndarray:
    return np.array(corpus.audio[corpus.starts[number] :][: corpus.lengths[number]])


# -- speakers and splits


def test_a_speaker_is_the_first_folder_below_so_that_chapters_share_a_split(tmp_path: Path) -> None:
    speech = tmp_path / "speech"
    touch(speech, "own.wav", *(f"s{s}/chapter{c}/x.flac" for s in range(40) for c in range(5)))
    split_of = splits(index_folders([speech]))
    assert set(split_of) == {"speech", *(f"speech/s{s}" for s in range(40))}
    assert 0 < list(split_of.values()).count("dev") < 10


def test_whatever_a_recursive_compress_takes_is_trained_on(tmp_path: Path) -> None:
    touch(tmp_path, *(f"speaker/talk{suffix.upper()}" for suffix in AUDIO_SUFFIXES), "speaker/notes.txt")
    found = {Path(clip.path).suffix.lower() for clip in index_folders([tmp_path])}
    assert found == AUDIO_SUFFIXES


@pytest.mark.parametrize(
    ("inside", "speaker"),
    [
        ("train-clean-100/{s}/121123/{s}-121123-0000.flac", "{s}"),
        ("wav48_silence_trimmed/p{s}/p{s}_001_mic1.flac", "p{s}"),
        ("TRAIN/audio/{s}/12/{s}_12_01.flac", "{s}"),
        ("{s}/wav/a0001.wav", "{s}"),
        ("{s}/train/a0001.wav", "{s}"),
        ("testimony{s}/day1/1.wav", "testimony{s}"),
    ],
    ids=["LibriSpeech", "VCTK", "MLS", "parts of a speaker", "parts called as others", "much like a part"],
)
def test_folders_above_the_speakers_are_skipped(inside: str, speaker: str, tmp_path: Path) -> None:
    speech = tmp_path / "speech"
    touch(speech, *(inside.format(s=s) for s in range(40)))
    split_of = splits(index_folders([speech]))
    assert set(split_of) == {f"speech/{speaker.format(s=s)}" for s in range(40)}
    assert 0 < list(split_of.values()).count("dev") < 10


def test_a_speaker_of_several_parts_or_chapters_is_one_and_in_one_split(tmp_path: Path) -> None:
    speech = tmp_path / "speech"
    parts = ("dev-clean", "train-clean-100", "train-other-500")
    touch(speech, *(f"{part}/{s}/{c}/x.flac" for part in parts for s in range(40) for c in range(3)))
    assert set(splits(index_folders([speech]))) == {f"speech/{s}" for s in range(40)}


def test_a_speaker_called_as_a_part_stays_one_among_others_and_so_do_parts_without_folders(
    tmp_path: Path,
) -> None:
    touch(tmp_path / "a", "dev/monday/x.wav", "dev/tuesday/x.wav", "anna/monday/x.wav")
    assert set(splits(index_folders([tmp_path / "a"]))) == {"a/dev", "a/anna"}
    touch(tmp_path / "b", "train/x.wav", "dev/y.wav", "own.wav")
    assert set(splits(index_folders([tmp_path / "b"]))) == {"b/train", "b/dev", "b"}


def test_splits_do_not_depend_on_where_a_folder_lies_or_how_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = tmp_path / "here" / "speech"
    touch(speech, *(f"s{s}/x.wav" for s in range(40)))
    expected = splits(index_folders([speech]))
    monkeypatch.chdir(speech)
    assert splits(index_folders([Path(".")])) == splits(index_folders([Path("../speech")])) == expected
    (tmp_path / "here").rename(tmp_path / "there")
    assert splits(index_folders([tmp_path / "there" / "speech"])) == expected


@pytest.mark.parametrize("speakers", range(2, 12))
def test_two_speakers_or_more_are_divided_between_the_splits(speakers: int, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        touch(tmp_path / name, *(f"s{s}/x.wav" for s in range(speakers)))
        assert set(splits(index_folders([tmp_path / name])).values()) == {"dev", "train"}


def test_a_single_speaker_is_used_for_training_whatever_the_lot(tmp_path: Path) -> None:
    for number in range(60):  # of which the lots of three or so are dev
        touch(tmp_path / str(number), "x.wav", "y.wav")
        assert splits(index_folders([tmp_path / str(number)])) == {str(number): "train"}


def test_what_a_manifest_says_of_splits_counts_and_the_others_fill_up(tmp_path: Path) -> None:
    def split_of(*rows: str) -> dict[str, str]:
        return splits(index_folders([listed(tmp_path, *rows, columns="path,speaker,split")]))

    name = tmp_path.name
    assert split_of("a.wav,a,train", "b.wav,b,train") == {f"{name}/a": "train", f"{name}/b": "train"}
    assert split_of("a.wav,a,train", "b.wav,b,") == {f"{name}/a": "train", f"{name}/b": "dev"}
    assert split_of("a.wav,a,dev", "b.wav,b,") == {f"{name}/a": "dev", f"{name}/b": "train"}
    assert split_of("a.wav,a,dev", "a2.wav,a,", "b.wav,b,") == {f"{name}/a": "dev", f"{name}/b": "train"}


def test_manifests_of_the_folders_in_a_folder_count_too(tmp_path: Path) -> None:
    """Otherwise their licences would be unknown."""
    for name in ("read/a.wav", "wild/b.wav", "wild/c.wav", "loose/d.wav"):
        record(tmp_path / name)
    listed(tmp_path / "read", "a.wav,s,x,CC0-1.0,train")
    listed(tmp_path / "wild", "b.wav,t,y,CC BY-NC 4.0,dev")
    clips = {clip.path: clip for clip in index_folders([tmp_path])}
    assert {Path(path).name: clip.licence for path, clip in clips.items()} == {
        "a.wav": "CC0-1.0",
        "b.wav": "CC BY-NC 4.0",
        "d.wav": UNKNOWN_LICENCE,
    }
    assert clips[str(tmp_path / "loose/d.wav")].speaker == f"{tmp_path.name}/loose"


def test_clips_of_other_splits_are_named_and_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["a.wav,a,Train", "b.wav,b,dev ", "c.wav,c,test", "d.wav,c,test"]
    found = splits(index_folders([listed(tmp_path, *rows, columns="path,speaker,split")]))
    name = tmp_path.name
    assert found == {f"{name}/a": "train", f"{name}/b": "dev", f"{name}/c": "test"}
    assert "manifest.csv: 2 clips are left out: their split is 'test'" in capsys.readouterr().err


def test_training_is_measured_on_dev_clips_even_short_ones_of_other_sources(tmp_path: Path) -> None:
    record(tmp_path / "speech" / "a" / "long.wav", seconds=2)
    record(tmp_path / "speech" / "b" / "long.wav", seconds=2)
    split_of = splits(index_folders([tmp_path / "speech"]))
    heldout = next(speaker for speaker, split in split_of.items() if split == "dev")
    record(tmp_path / heldout / "long.wav", hz=300, seconds=1)
    corpus = open_corpus([tmp_path / "speech"], tmp_path / "cache", 16000, 1)
    crops = dev_crops(corpus, {"a source of the preset"}, 24000, 4)
    dev = [number for number, clip in enumerate(corpus.clips) if clip.split == "dev"]
    assert len(crops.audio) == len(dev) == 1
    samples = whole(corpus, dev[0])
    assert np.array_equal(crops.audio[0, : len(samples)].numpy() * 32768, samples)
    assert not crops.audio[0, len(samples) :].any()


def test_with_one_speaker_a_notice_says_that_training_clips_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        record(tmp_path / "speech" / f"{number}.wav", hz=150 + 50 * number, seconds=2)
    arguments = ["--preset", "tiny", "--data", str(tmp_path / "speech"), "--run", str(tmp_path / "run")]
    code = main(["train", "coder", *arguments, "--steps", "1", "--device", "cpu", "--threads", "1"])
    error = capsys.readouterr().err
    assert code == 0, error
    assert error.count("dev figures are measured on training clips") == 1


def test_a_corpus_of_dev_clips_only_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    corpus = open_corpus([listed(tmp_path, "a.wav,s,a,CC0-1.0,dev")], tmp_path / "cache", 16000)
    preset = read_preset("tiny")
    with pytest.raises(UsageProblem, match="no clips in its train split"):
        Batches(corpus, "train", torch.device("cpu"), {}, preset.augmentation)


# -- caches


def test_source_speaker_and_licence_are_what_the_manifest_says_now(tmp_path: Path) -> None:
    speech = tmp_path / "speech"
    record(speech / "a.wav")
    record(speech / "b.wav")
    listed(speech, "a.wav,old,x,CC0-1.0,train", "b.wav,old,y,CC0-1.0,dev")
    before = open_corpus([speech], tmp_path / "cache", 16000)
    written = os.stat(tmp_path / "cache" / before.fingerprint / "audio.i16").st_mtime_ns
    listed(speech, "a.wav,new,z,CC BY-NC 4.0,train", "b.wav,new,y,,dev")
    after = open_corpus([speech], tmp_path / "cache", 16000)
    assert before.licences() == {"old": "CC0-1.0"}
    assert after.licences() == {"new": f"CC BY-NC 4.0 and {UNKNOWN_LICENCE}"}
    assert [clip.speaker for clip in after.clips] == ["new/y", "new/z"]
    assert after.fingerprint == before.fingerprint
    assert os.stat(tmp_path / "cache" / after.fingerprint / "audio.i16").st_mtime_ns == written


def test_speakers_that_change_places_take_their_voices_along(tmp_path: Path) -> None:
    """Files with the same names and sizes do not change the key of the cache."""
    speech = tmp_path / "speech"
    for number in range(2):
        record(speech / f"s{number}" / "a.wav", hz=200 + 300 * number)
    listed(speech, "s0/a.wav,s,0,,dev", "s1/a.wav,s,1,,train")
    before = open_corpus([speech], tmp_path / "cache", 16000)
    listed(speech, "s0/a.wav,s,0,,train", "s1/a.wav,s,1,,dev")
    after = open_corpus([speech], tmp_path / "cache", 16000)
    assert [clip.inside for clip in after.clips] == ["s1/a.wav", "s0/a.wav"]
    assert after.clips[0].split == "dev"
    assert np.array_equal(whole(after, 0), whole(before, 1))
    assert np.array_equal(whole(after, 1), whole(before, 0))


def test_a_cache_serves_a_folder_that_has_moved_and_one_without_a_list_of_bad_files(tmp_path: Path) -> None:
    speech = tmp_path / "here" / "speech"
    record(speech / "s0" / "b.wav")
    record(speech / "s1" / "a.wav")
    touch(speech, "s0/a.wav")
    before = open_corpus([speech], tmp_path / "cache", 16000, 1)
    home = tmp_path / "cache" / before.fingerprint
    index = json.loads((home / "index.json").read_text())
    del index["left_out"]
    (home / "index.json").write_text(json.dumps(index))
    written = os.stat(home / "audio.i16").st_mtime_ns
    (tmp_path / "here").rename(tmp_path / "there")
    after = open_corpus([tmp_path / "there" / "speech"], tmp_path / "cache", 16000, 1)
    assert os.stat(home / "audio.i16").st_mtime_ns == written
    assert [clip.inside for clip in after.clips] == [clip.inside for clip in before.clips]
    assert all(Path(clip.path).is_file() for clip in after.clips)
    assert list(after.left_out) == [str(tmp_path / "there" / "speech" / "s0" / "a.wav")]


def test_a_cache_is_made_whole_by_one_process_at_a_time(tmp_path: Path) -> None:
    speech = tmp_path / "speech"
    record(speech / "s0" / "a.wav")
    home = tmp_path / "cache" / open_corpus([speech], tmp_path / "cache", 16000).fingerprint
    assert sorted(os.listdir(home)) == ["audio.i16", "index.json"]
    before = (home / "audio.i16").read_bytes()
    (home / "index.json").unlink()
    with output_file(home / "audio.i16", force=True) as file:
        file.write(before)
        with pytest.raises(OutputExists, match="another process"):
            open_corpus([speech], tmp_path / "cache", 16000)
    assert os.listdir(home) == ["audio.i16"]
    open_corpus([speech], tmp_path / "cache", 16000)
    assert sorted(os.listdir(home)) == ["audio.i16", "index.json"]
    assert (home / "audio.i16").read_bytes() == before


def test_a_name_that_is_not_utf_8_is_a_file_like_any_other(tmp_path: Path) -> None:
    record(tmp_path / "speech" / "a.wav")
    odd = tmp_path / "speech" / os.fsdecode(b"s\xff") / os.fsdecode(b"\xe9.wav")
    odd.parent.mkdir()
    (tmp_path / "speech" / "a.wav").rename(odd)
    record(tmp_path / "speech" / "a.wav")
    for _ in range(2):
        corpus = open_corpus([tmp_path / "speech"], tmp_path / "cache", 16000)
        assert {clip.path for clip in corpus.clips} == {str(tmp_path / "speech" / "a.wav"), str(odd)}
