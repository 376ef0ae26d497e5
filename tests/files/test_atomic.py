"""Output files are complete or not there, and never one of the inputs."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from melcodec_cli.errors import OutputExists, SameFile, Terminated, UsageProblem
from melcodec_cli.files import atomic
from melcodec_cli.files.atomic import Input, check_output, output_file


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.mlc"


@pytest.fixture
def old(target: Path) -> Path:
    """A target that is there already."""
    target.write_bytes(b"old")
    return target


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_under_its_name_when_it_is_complete(target: Path) -> None:
    with output_file(target) as file:
        file.write(b"new")
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names_in(target.parent) == ["out.mlc"]


def test_file_can_be_sought_and_read_while_it_is_written(target: Path) -> None:
    with output_file(target) as file:
        file.write(b"12345")
        file.seek(1)
        file.write(b"x")
        file.seek(0)
        assert file.read() == b"1x345"
    assert target.read_bytes() == b"1x345"


@pytest.mark.parametrize(
    "error", [ValueError, KeyboardInterrupt, Terminated], ids=lambda error: error.__name__
)
@pytest.mark.parametrize("force", [False, True], ids=["new", "forced"])
def test_nothing_is_left_of_what_failed(error: type[BaseException], force: bool, target: Path) -> None:
    if force:
        target.write_bytes(b"old")
    before = names_in(target.parent)
    with pytest.raises(error), output_file(target, force) as file:
        file.write(b"half")
        raise error
    assert names_in(target.parent) == before
    assert not force or target.read_bytes() == b"old"


def test_existing_target_is_refused_before_anything_is_written(old: Path) -> None:
    with pytest.raises(OutputExists, match=r"out\.mlc: already exists \(use --force"), output_file(old):
        pytest.fail("the block must not be entered")
    assert old.read_bytes() == b"old"


def test_existing_target_is_replaced_by_force_and_keeps_its_mode(old: Path) -> None:
    old.chmod(0o640)
    with output_file(old, force=True) as file:
        file.write(b"new")
    assert old.read_bytes() == b"new"
    assert old.stat().st_mode & 0o777 == 0o640


def test_new_file_has_the_mode_that_the_umask_leaves(target: Path) -> None:
    before = os.umask(0o027)
    try:
        with output_file(target) as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o640


def test_target_that_appears_meanwhile_is_not_replaced(target: Path) -> None:
    with pytest.raises(OutputExists, match="meanwhile"), output_file(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert names_in(target.parent) == ["out.mlc"]


def test_file_system_without_hard_links_is_served_by_renaming(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with output_file(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert names_in(target.parent) == ["out.mlc"]


@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
@pytest.mark.parametrize("kind", ["itself", "symbolic link", "hard link", "open file"])
def test_input_is_never_the_output_not_even_by_force(kind: str, force: bool, old: Path) -> None:
    link = old.with_name("link.mlc")
    if kind == "symbolic link":
        link.symlink_to(old)
    elif kind == "hard link":
        link.hardlink_to(old)
    with old.open("rb") as file:
        inputs: dict[str, Input] = {"itself": old, "open file": file}
        given = inputs.get(kind, link)
        swapped: list[tuple[Input, Path]] = [(old, link)] if link.exists() else []
        for source, output in [(given, old), *swapped]:
            with pytest.raises(SameFile, match="input itself"), output_file(output, force, [source]):
                pytest.fail("the block must not be entered")
    assert old.read_bytes() == b"old"


def test_other_inputs_do_no_harm(old: Path, tmp_path: Path) -> None:
    check_output(old, force=True, inputs=[tmp_path / "missing.wav", os.devnull, sys.stdin.buffer])


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "is a folder"), ("missing/out.mlc", "there is no folder"), ("file/out.mlc", "there is no folder")],
    ids=["a folder", "in a missing folder", "in a file"],
)
def test_impossible_target_is_a_usage_problem(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageProblem, match=problem):
        check_output(tmp_path / name)


def test_link_planted_under_the_hidden_name_is_not_followed(target: Path) -> None:
    victim = target.with_name("victim")
    victim.write_bytes(b"precious")
    target.with_name(".out.mlc.unfinished").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link") as caught, output_file(target):
        pytest.fail("the block must not be entered")
    assert caught.value.filename == str(target)
    assert victim.read_bytes() == b"precious"


def test_symbolic_link_stays_and_its_target_is_replaced(old: Path) -> None:
    link = old.with_name("link.mlc")
    link.symlink_to(old.name)
    with output_file(link, force=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert old.read_bytes() == b"new"


def test_dangling_link_gets_its_target(target: Path) -> None:
    link = target.with_name("link.mlc")
    link.symlink_to(target.name)
    with output_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_device_is_written_without_force_and_stays_a_device() -> None:
    with output_file(os.devnull, inputs=[os.devnull]) as file:
        file.write(b"gone")
    assert Path(os.devnull).is_char_device()


def test_named_pipe_is_written_as_it_comes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with output_file(pipe) as file:
        file.write(b"live")
    reader.join(10)
    assert received == [b"live"]
    assert pipe.is_fifo()


def test_second_writer_of_one_target_is_refused_and_the_first_finishes(target: Path) -> None:
    with output_file(target) as first:
        first.write(b"first")
        with pytest.raises(OutputExists, match="another process"), output_file(target):
            pytest.fail("the block must not be entered")
    assert target.read_bytes() == b"first"


def test_what_a_killed_run_left_is_used_up_by_the_next(target: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from melcodec_cli.files.atomic import output_file\n"
        "with output_file(sys.argv[1]) as file:\n"
        "    file.write(b'half' * 10_000)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(target)])
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    with output_file(target) as file:
        file.write(b"whole")
    assert target.read_bytes() == b"whole"
    assert names_in(target.parent) == ["out.mlc"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127], ids=["ascii", "two-byte letters"])
def test_name_of_the_greatest_length_is_possible(name: str, tmp_path: Path) -> None:
    with output_file(tmp_path / name) as file:
        file.write(b"new")
    assert names_in(tmp_path) == [name]


def test_unfinished_name_is_hidden_and_lies_beside_the_target(target: Path) -> None:
    with output_file(target):
        assert names_in(target.parent) == [".out.mlc.unfinished"]
    assert atomic._unfinished_name(str(target)) == str(target.parent / ".out.mlc.unfinished")
