"""Output names: which file becomes which, before anything is opened."""

from functools import partial
from pathlib import Path

import pytest

from melcodec_cli.audio.suffixes import AUDIO_SUFFIXES
from melcodec_cli.errors import UsageProblem
from melcodec_cli.files.inputs import Selection
from melcodec_cli.files.targets import (
    compressed_name,
    decompressed_name,
    is_mlc,
    pair_up,
    split_output,
)

SUFFIXES = (".wav", ".flac", ".mp3")
decompressed = partial(decompressed_name, suffixes=SUFFIXES, default=".wav")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("talk.wav.mlc", "talk.wav"),
        ("talk.flac.mlc", "talk.flac"),
        ("talk.mlc", "talk.wav"),
        ("TALK.WAV.MLC", "TALK.WAV"),
        ("talk.m4a.mlc", "talk.m4a.wav"),
        ("a.b/talk", "a.b/talk.wav"),
        ("a/.mlc", "a/.wav"),
        (".wav.mlc", ".wav.wav"),
    ],
)
def test_decompressing_takes_mlc_away_and_leaves_a_name_of_audio(source: str, target: str) -> None:
    assert decompressed(source) == target


def test_another_format_is_added_to_the_name() -> None:
    assert decompressed_name("talk.wav.mlc", (".flac",), ".flac") == "talk.wav.flac"


@pytest.mark.parametrize(
    ("names", "inputs", "output"),
    [
        (["a.wav", "b.mlc"], ["a.wav"], "b.mlc"),
        (["a.wav", "-"], ["a.wav"], "-"),
        (["-", "-"], ["-"], "-"),
        (["-", "b.MLC"], ["-"], "b.MLC"),
        (["a.wav", "b.wav"], ["a.wav", "b.wav"], None),
        (["a.wav", "b.wav", "c.mlc"], ["a.wav", "b.wav", "c.mlc"], None),
        (["a.wav"], ["a.wav"], None),
    ],
)
def test_of_two_names_to_compress_the_second_is_the_output_if_it_looks_like_one(
    names: list[str], inputs: list[str], output: str | None
) -> None:
    assert split_output(names, None, is_mlc) == (inputs, output)


def test_of_two_names_to_decompress_the_second_is_the_output_unless_it_is_an_mlc_file() -> None:
    def is_output(name: str) -> bool:
        return not is_mlc(name)

    assert split_output(["a.mlc", "b.wav"], None, is_output) == (["a.mlc"], "b.wav")
    assert split_output(["a.mlc", "b.mlc"], None, is_output) == (["a.mlc", "b.mlc"], None)
    assert split_output(["-", "b.flac"], None, is_output) == (["-"], "b.flac")


def test_with_an_output_option_all_names_are_inputs() -> None:
    assert split_output(["a.wav", "b.mlc"], "out", is_mlc) == (["a.wav", "b.mlc"], "out")


def targets(sources: list[str], output: str | None) -> list[str]:
    return [pair.target for pair in pair_up(sources, output, compressed_name)]


def test_outputs_lie_beside_their_inputs_or_in_the_folder_named(tmp_path: Path) -> None:
    assert targets(["x/a.wav", "y/b.wav"], None) == ["x/a.wav.mlc", "y/b.wav.mlc"]
    assert targets(["x/a.wav", "y/b.wav"], "out") == ["out/a.wav.mlc", "out/b.wav.mlc"]
    assert targets(["x/a.wav"], "out") == ["out"]
    assert targets(["x/a.wav"], "out/") == ["out/a.wav.mlc"]
    assert targets(["x/a.wav"], str(tmp_path)) == [f"{tmp_path}/a.wav.mlc"]
    assert targets(["-"], None) == ["-"]
    assert targets(["-"], "a.mlc") == ["a.mlc"]


@pytest.mark.parametrize(
    ("sources", "output", "complaint"),
    [
        (["x/a.wav", "y/a.wav"], "out", "x/a.wav and y/a.wav would both become out/a.wav.mlc"),
        (["a.wav", "a.wav"], None, "a.wav and a.wav would both become a.wav.mlc"),
        (["a.wav", "b.wav"], "-", "standard output can take the result of only one input"),
        (["-", "a.wav"], "out", "standard input has no name"),
        (["-", "-"], None, "would both become -"),
    ],
    ids=["one name", "one file twice", "two to standard output", "nameless", "standard input twice"],
)
def test_what_cannot_be_named_is_refused(sources: list[str], output: str | None, complaint: str) -> None:
    with pytest.raises(UsageProblem, match=complaint):
        pair_up(sources, output, compressed_name)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.wav", "a.FLAC", "deep/er/c.mp3", ".hidden.wav", ".git/d.wav", "notes.txt", "e.mlc"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "tree" / "deep" / "loop").symlink_to(tmp_path / "tree")
    return tmp_path / "tree"


def test_a_folder_is_mirrored_without_hidden_files_links_and_other_files(tree: Path) -> None:
    pairs = pair_up([str(tree)], "out", compressed_name, Selection(AUDIO_SUFFIXES))
    assert [(pair.source, pair.target) for pair in pairs] == [
        (f"{tree}/a.FLAC", "out/a.FLAC.mlc"),
        (f"{tree}/b.wav", "out/b.wav.mlc"),
        (f"{tree}/deep/er/c.mp3", "out/deep/er/c.mp3.mlc"),
    ]


def test_a_folder_without_an_output_has_its_results_beside_the_inputs(tree: Path) -> None:
    pairs = pair_up([str(tree)], None, compressed_name, Selection(AUDIO_SUFFIXES))
    assert [pair.target for pair in pairs] == [f"{pair.source}.mlc" for pair in pairs]


def test_a_folder_needs_the_recursive_option(tree: Path) -> None:
    with pytest.raises(UsageProblem, match="is a folder; use -r to convert the files in it"):
        pair_up([str(tree)], None, compressed_name)
