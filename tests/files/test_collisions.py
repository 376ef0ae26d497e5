"""Inputs that would become one output, by name or because the file system treats two names alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, UsageProblem
from melcodec_cli.files.collisions import Ignored, ignored_in, refuse_collisions, seen_ignored_in
from melcodec_cli.files.targets import compressed_name, pair_up
from tests.shell import last_line, names
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

COMPOSED, DECOMPOSED = "caf\u00e9.wav", "cafe\u0301.wav"


def test_recordings_in_several_formats_keep_apart(folder: Path) -> None:
    Path("in").mkdir()
    for name in ("a.wav", "a.flac"):
        Path("in", name).write_bytes(wav(noise(0.1)))
    assert main(["compress", "-q", "-r", "in", "-o", "out"]) == 0
    assert names(folder / "out") == ["a.flac.mlc", "a.wav.mlc"]


def test_two_that_become_one_by_their_suffixes_are_refused_before_anything_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("coded").mkdir()
    for name in ("a.mlc", "a.wav.mlc"):
        assert main(["compress", "-q", "talk.wav", f"coded/{name}"]) == 0
    assert main(["decompress", "-r", "coded", "-o", "out"]) == ExitCode.USAGE
    assert last_line(capsys) == "melcodec: coded/a.mlc and coded/a.wav.mlc would both become out/a.wav"
    assert names(folder) == ["coded", "talk.wav"]


def test_what_is_ignored_in_names_is_tried_out_and_leaves_nothing(tmp_path: Path) -> None:
    ignored = ignored_in(tmp_path)
    assert names(tmp_path) == []
    for name in ("x", "X", COMPOSED, DECOMPOSED):
        (tmp_path / name).touch()
    assert len(names(tmp_path)) == 4 - ignored.case - ignored.form
    assert ignored_in(tmp_path / "absent") == Ignored()


@pytest.mark.parametrize(
    ("ignored", "one", "other", "refused"),
    [
        (Ignored(), "a.wav", "A.wav", False),
        (Ignored(), COMPOSED, DECOMPOSED, False),
        (Ignored(case=True), "a.wav", "A.wav", True),
        (Ignored(case=True), "X/a.wav", "x/a.wav", True),
        (Ignored(case=True), "STRASSE", "stra\u00dfe", False),
        (Ignored(case=True), COMPOSED, DECOMPOSED, False),
        (Ignored(form=True), COMPOSED, DECOMPOSED, True),
        (Ignored(form=True), "a.wav", "A.wav", False),
        (Ignored(True, True), COMPOSED, DECOMPOSED.upper(), True),
    ],
)
def test_names_that_the_file_system_takes_for_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: Ignored, one: str, other: str, refused: bool
) -> None:
    monkeypatch.setattr("melcodec_cli.files.collisions.ignored_in", lambda folder: ignored)
    sources, output = [f"x/{one}", f"y/{other}"], str(tmp_path / "new")
    found = [(source, f"{output}/{name}") for source, name in zip(sources, (one, other), strict=True)]
    if refused:
        with pytest.raises(UsageProblem, match="would both become .* ignores the difference"):
            refuse_collisions(found)
    else:
        refuse_collisions(found)


def test_alike_names_on_two_file_systems_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if ignored_in(tmp_path).case:
        pytest.skip("this file system is one that ignores case")
    monkeypatch.setattr("melcodec_cli.files.collisions.ignored_in", lambda folder: Ignored(True, True))
    (tmp_path / "usb").mkdir()
    (tmp_path / "USB").mkdir()
    pairs = pair_up([f"{tmp_path}/usb/a.wav", f"{tmp_path}/USB/a.wav"], None, compressed_name)
    assert len(pairs) == 2


def test_a_dry_run_finds_out_without_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("x/a.wav", "y/A.wav"):
        Path(name).parent.mkdir()
        Path(name).write_bytes(wav(noise(0.1)))
    Path("out").mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a dry run made a folder")

    monkeypatch.setattr("melcodec_cli.files.collisions.TemporaryDirectory", refuse)
    monkeypatch.setattr("os.mkdir", refuse)
    before = Path("out").stat().st_mtime_ns
    assert main(["compress", "--dry-run", "x/a.wav", "y/A.wav", "-o", "out"]) == 0
    assert Path("out").stat().st_mtime_ns == before and names(folder / "out") == []


def test_what_is_ignored_in_names_is_seen_by_looking_up_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ignored_in(tmp_path)
    assert seen_ignored_in(tmp_path) == Ignored()
    for name in ("X", COMPOSED):
        (tmp_path / name).touch()
    assert seen_ignored_in(tmp_path) == real
    if not real.case:
        (tmp_path / "x").symlink_to("X")  # as if the file system found the one under the other's name
        assert seen_ignored_in(tmp_path).case
