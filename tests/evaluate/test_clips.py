"""Which files are coded, what they are called, and what comes with the program."""

from pathlib import Path

import pytest

from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.clips import BUILT_IN, clips_listed, clips_of, read_speech, spread


def test_the_built_in_set_is_a_dozen_clips_of_ten_speakers_below_a_megabyte_and_a_half() -> None:
    clips = clips_of([])
    assert len(clips) == 12
    # speechocean762 begins an utterance's id with its speaker's, LibriSpeech separates the two.
    speakers = {
        clip.name.split("-")[1] if clip.name.startswith("libri") else clip.name.split("-")[1][:5]
        for clip in clips
    }
    assert len(speakers) == 10
    assert sum(path.stat().st_size for path in BUILT_IN.iterdir()) <= 1_500_000


def test_the_built_in_set_names_its_licences() -> None:
    licence = (BUILT_IN / "LICENSE").read_text()
    assert "CC BY 4.0" in licence
    assert all(f"{clip.name.split('-')[0]}-*.opus" in licence for clip in clips_of([]))


def test_a_folder_is_searched_through_and_names_are_relative_to_it(two_clip_folder: Path) -> None:
    (two_clip_folder / "deep").mkdir()
    (two_clip_folder / "deep" / "a.WAV").touch()
    (two_clip_folder / "notes.txt").touch()
    names = [clip.name for clip in clips_of([two_clip_folder])]
    assert names == ["deep/a.WAV", "speechocean762-027400171.wav", "speechocean762-027400246.wav"]


def test_files_of_one_name_keep_their_whole_paths(tmp_path: Path) -> None:
    paths = [tmp_path / place / "x" / "a.wav" for place in ("one", "two")]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    assert [clip.name for clip in clips_of(paths)] == [str(path) for path in paths]


def test_a_list_names_files_from_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.wav\n\n  /else/where.flac  \n")
    assert clips_listed(tmp_path / "list.txt") == [tmp_path / "a.wav", Path("/else/where.flac")]


def test_a_limit_spreads_over_all(two_clip_folder: Path) -> None:
    assert spread(range(12), 4) == [0, 3, 6, 9]
    assert spread(range(3), 12) == spread(range(3), None) == [0, 1, 2]


@pytest.mark.parametrize("name", ["nothing there", "empty"])
def test_a_place_without_audio_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageProblem, match=name):
        clips_of([tmp_path / name])


def test_speech_is_mono_at_16_khz_whatever_the_file_is(tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    left = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([left, np.zeros(44100)], axis=1), 44100)
    speech = read_speech(tmp_path / "a.wav")
    assert speech.shape == (16000,) and speech.dtype == np.float32
    assert np.abs(speech[1000:-1000]).max() == pytest.approx(0.25, abs=0.01)
