"""The inputs of a run: lists, patterns, and the odd things found in folders."""

import io
import os
from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, OutputOutside, UsageProblem
from melcodec_cli.files.inputs import Selection, listed, listed_names, named
from melcodec_cli.files.targets import compressed_name, pair_up
from tests.shell import last_line, names, unreadable_folder

WAV = frozenset((".wav",))


def tree_of(root: Path, *paths: str) -> str:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return str(root)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a.wav\nb c.wav\n", ["a.wav", "b c.wav"]),
        (b"a.wav\n\nb.wav", ["a.wav", "b.wav"]),
        (b"a\nb.wav\0c.wav\0", ["a\nb.wav", "c.wav"]),
        (b"\xff.wav\n-\n", ["\udcff.wav", "./-"]),
        (b"", []),
    ],
    ids=["lines", "empty line", "NULs", "odd names", "nothing"],
)
def test_a_list_has_lines_or_nuls(tmp_path: Path, data: bytes, expected: list[str]) -> None:
    (tmp_path / "list").write_bytes(data)
    assert listed_names((), str(tmp_path / "list")) == expected


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ((), (), ["a.wav", "b.wav", "x/a.wav", "x/y/c.wav"]),
        (("a*",), (), ["a.wav", "x/a.wav"]),
        (("a*", "c.*"), (), ["a.wav", "x/a.wav", "x/y/c.wav"]),
        ((), ("x",), ["a.wav", "b.wav"]),
        ((), ("x/y",), ["a.wav", "b.wav", "x/a.wav"]),
        (("x/*",), ("a*",), ["x/y/c.wav"]),
        (("A*",), (), []),
    ],
    ids=["all", "name", "either name", "folder", "path of a folder", "both", "case counts"],
)
def test_patterns_select_in_folders(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    root = tree_of(tmp_path, "b.wav", "a.wav", "x/a.wav", "x/y/c.wav", "x/n.txt", ".h/d.wav", ".e.wav")
    found = named([root], Selection(WAV, include, exclude))
    assert sorted(one.name for one in found) == expected


def test_named_files_are_taken_hidden_or_not_unless_a_pattern_says_otherwise() -> None:
    def taken(*patterns: str) -> list[str]:
        return [one.name for one in named(["x/.a.wav", "y/b.odd"], Selection(exclude=patterns))]

    assert taken() == [".a.wav", "b.odd"]
    assert taken("*.odd") == [".a.wav"]
    assert taken("y/*") == [".a.wav"]


def test_links_to_files_are_followed_and_loops_of_links_are_not_entered(tmp_path: Path) -> None:
    root = tree_of(tmp_path / "tree", "deep/a.wav")
    (tmp_path / "tree/deep/loop").symlink_to(tmp_path / "tree")
    (tmp_path / "tree/self.wav").symlink_to("self.wav")
    (tmp_path / "tree/link.wav").symlink_to("deep/a.wav")
    found = [one.name for one in named([root], Selection(WAV))]
    assert found == ["link.wav", "self.wav", "deep/a.wav"]  # the one that is a loop itself fails when opened


def test_a_pipe_in_a_folder_is_a_failure_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (found,) = named([str(tmp_path)], Selection(WAV))
    assert found.problem and "not a regular file" in str(found.problem)


def test_a_folder_that_cannot_be_read_is_a_failure_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.makedirs("in")
    os.link("talk.wav", "in/talk.wav")
    unreadable_folder("in")
    assert main(["compress", "-q", "-r", "in", "-o", "out"]) == ExitCode.BATCH
    lines = capsys.readouterr().err.splitlines()
    assert "cannot be read: file name too long" in lines[0]
    assert lines[-1].endswith("1 done, 0 skipped, 1 failed")
    assert names(folder / "out") == ["talk.wav.mlc"]


def test_listed_files_keep_their_paths_below_the_output_folder(tmp_path: Path) -> None:
    root = tree_of(tmp_path / "tree", "x/a.wav")
    sources = ["x/a.wav", "./y/../b.wav", "/data/c.wav", root]
    pairs = pair_up([], "out", compressed_name, Selection(WAV), sources)
    assert [pair.target for pair in pairs] == [
        "out/x/a.wav.mlc",
        "out/b.wav.mlc",
        "out/data/c.wav.mlc",
        f"out{root}/x/a.wav.mlc",
    ]


@pytest.mark.parametrize("name", ["../a.wav", "x/../../a.wav", "./.././a.wav", ".."])
def test_a_listed_name_cannot_climb_out_of_the_output_folder(name: str) -> None:
    (found,) = listed([name], Selection(WAV))
    assert found.problem and "list absolute paths" in str(found.problem)


def test_a_list_from_standard_input_is_converted_past_what_climbs_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = io.TextIOWrapper(io.BytesIO(b"../up.wav\ntalk.wav\n"))
    monkeypatch.setattr("sys.stdin", lines)
    assert main(["compress", "-q", "--files-from", "-", "-o", "out"]) == ExitCode.BATCH
    assert last_line(capsys).endswith("1 done, 0 skipped, 1 failed")
    assert names(folder) == ["out", "talk.wav"] and names(folder / "out") == ["talk.wav.mlc"]


def test_a_list_and_an_input_cannot_share_standard_input() -> None:
    with pytest.raises(UsageProblem, match="both the list and an input"):
        listed_names(("-",), "-")


@pytest.mark.parametrize("kind", ["folder", "file", "dangling file"])
def test_links_in_the_output_folder_lead_nothing_out_of_it(folder: Path, kind: str) -> None:
    Path("in/sub").mkdir(parents=True)
    os.link("talk.wav", "in/sub/a.wav")
    os.link("talk.wav", "in/b.wav")
    Path("out").mkdir()
    Path("elsewhere").mkdir()
    if kind == "folder":
        Path("out/sub").symlink_to(folder / "elsewhere")
    else:
        Path("out/sub").mkdir()
        Path("out/sub/a.wav.mlc").symlink_to(folder / "elsewhere/a.wav.mlc")
    if kind == "file":
        Path("elsewhere/a.wav.mlc").write_text("mine")
    before = names(folder / "elsewhere")
    assert main(["compress", "-q", "--force", "-r", "in", "-o", "out"]) == ExitCode.BATCH
    assert names(folder / "elsewhere") == before
    assert Path("out/b.wav.mlc").stat().st_size > 0
    if kind == "file":
        assert Path("elsewhere/a.wav.mlc").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["-r", "in"], ["in/a.wav", "in/b.wav"]], ids=["folder", "names"])
@pytest.mark.parametrize("link", ["../elsewhere/new", "../elsewhere/there", "/dev/null"])
def test_links_beside_the_inputs_lead_nothing_away(folder: Path, arguments: list[str], link: str) -> None:
    """A folder from a stranger may hold such links."""
    Path("in").mkdir()
    Path("elsewhere").mkdir()
    Path("elsewhere/there").write_text("mine")
    os.link("talk.wav", "in/a.wav")
    os.link("talk.wav", "in/b.wav")
    Path("in/a.wav.mlc").symlink_to(link)
    assert main(["compress", "-q", "--force", *arguments]) == ExitCode.BATCH
    assert names(folder / "elsewhere") == ["there"] and Path("elsewhere/there").read_text() == "mine"
    assert Path("in/b.wav.mlc").stat().st_size > 0


def test_an_output_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    (pair,) = pair_up(["a.wav"], str(tmp_path / "out"), compressed_name)
    pair.check_inside()
    (tmp_path / "real" / "a.wav.mlc").symlink_to("../b.mlc")
    with pytest.raises(OutputOutside, match="leads out of"):
        pair.check_inside()
