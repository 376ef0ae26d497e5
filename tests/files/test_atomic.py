"""Output files are complete or absent, and never one of the inputs."""

import errno
import fcntl
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from melcodec_cli.errors import OutputExists, SameFile, Terminated, UsageProblem
from melcodec_cli.files import atomic
from melcodec_cli.files.atomic import Input, check_output, output_file, sweep

# Writes TARGET with FORCE and WAY, and dies before the call number FATAL of those that do something to a folder.
WRITER = """
import os, signal, sys
from melcodec_cli.files.atomic import output_file
target, force, way, fatal = sys.argv[1:]
if way == "named" and hasattr(os, "O_TMPFILE"):
    del os.O_TMPFILE
calls = 0
def fragile(real):
    def call(*arguments, **keywords):
        global calls
        calls += 1
        if calls > int(fatal):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **keywords)
    return call
for name in ["open", "fsync", "link", "unlink", "replace", "rename", "close"]:
    setattr(os, name, fragile(getattr(os, name)))
with output_file(target, force == "forced") as file:
    file.write(b"half")
    file.flush()
    fragile(file.write)(b"whole")
"""


@pytest.fixture(params=["nameless", "named"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs each test on a system with nameless files and on one without."""
    way: str = request.param
    if way == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return way


@pytest.fixture
def mark(target: Path) -> Path:
    return target.with_name(".out.mlc.unfinished")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.mlc"


@pytest.fixture
def old(target: Path) -> Path:
    """A target that already exists."""
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


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_links")
@pytest.mark.parametrize("force", [False, True], ids=["new", "forced"])
def test_file_system_without_hard_links_is_served(force: bool, target: Path) -> None:
    if force:
        target.write_bytes(b"old")
        target.chmod(0o640)
    with output_file(target, force) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert not force or target.stat().st_mode & 0o777 == 0o640
    assert names_in(target.parent) == ["out.mlc"]


@pytest.mark.usefixtures("no_links")
def test_target_that_appears_meanwhile_is_not_replaced_without_hard_links_either(target: Path) -> None:
    with pytest.raises(OutputExists, match="meanwhile"), output_file(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert names_in(target.parent) == ["out.mlc"]


@pytest.mark.parametrize("what", ["no locks on this file system", "no locks on this system"])
def test_system_without_locks_is_served(
    what: str, target: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if what.endswith("file system"):
        monkeypatch.setattr(fcntl, "flock", refuse)
    else:
        monkeypatch.setattr(atomic, "fcntl", None)
    mark.touch()
    with output_file(target) as first:
        first.write(b"first")
        with output_file(target, force=True) as second:
            second.write(b"second")
        with pytest.raises(OutputExists, match="meanwhile"), output_file(target.with_name("b")) as other:
            other.write(b"ours")
            target.with_name("b").write_bytes(b"theirs")
        target.unlink()
    assert target.read_bytes() == b"first"
    assert names_in(target.parent) == ["b", "out.mlc"]


def test_held_mark_is_found_where_files_open_for_reading_take_no_exclusive_lock(
    target: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS behaves like this."""
    real = fcntl.flock

    def flock(descriptor: int, how: int) -> None:
        if how & fcntl.LOCK_EX and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    mark.touch()
    with output_file(target) as file:
        file.write(b"first")
        with pytest.raises(OutputExists, match="another process"), output_file(target):
            pytest.fail("the block must not be entered")
    assert target.read_bytes() == b"first"
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
    [("", "is a folder"), ("missing/out.mlc", "does not exist"), ("file/out.mlc", "does not exist")],
    ids=["a folder", "in a missing folder", "in a file"],
)
def test_impossible_target_is_a_usage_problem(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageProblem, match=problem):
        check_output(tmp_path / name)


@pytest.mark.parametrize("force", [False, True], ids=["new", "forced"])
@pytest.mark.parametrize(
    "kind", ["symbolic link", "dangling link", "hard link", "read-only hard link", "pipe"]
)
def test_what_is_planted_under_the_mark_s_name_is_unlinked_and_not_touched(
    kind: str, force: bool, target: Path, mark: Path
) -> None:
    victim = target.with_name("victim")
    if kind != "dangling link":
        victim.write_bytes(b"precious")
    if force:
        target.write_bytes(b"old")
    if kind.endswith("hard link"):
        victim.chmod(0o400 if kind.startswith("read-only") else 0o600)
        mark.hardlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(mark)
    else:
        mark.symlink_to(victim)
    with output_file(target, force) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    if kind == "dangling link":
        assert names_in(target.parent) == ["out.mlc"]
    else:
        assert names_in(target.parent) == ["out.mlc", "victim"]
        assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["symbolic link", "hard link"])
def test_what_is_planted_survives_what_fails(kind: str, old: Path, mark: Path) -> None:
    victim = old.with_name("victim")
    victim.write_bytes(b"precious")
    plant = mark.symlink_to if kind == "symbolic link" else mark.hardlink_to
    plant(victim)
    with pytest.raises(ValueError), output_file(old, force=True) as file:
        file.write(b"half")
        file.flush()
        raise ValueError
    assert (old.read_bytes(), victim.read_bytes()) == (b"old", b"precious")
    assert names_in(old.parent) == ["out.mlc", "victim"]


def test_error_names_the_path_of_the_user(target: Path, mark: Path, way: str) -> None:
    mark.mkdir()
    with pytest.raises(OSError) as caught, output_file(target):
        pytest.fail("the block must not be entered")
    assert caught.value.filename == str(target)
    mark.rmdir()
    with pytest.raises(OSError) as caught, output_file(target, force=True) as file:
        file.write(b"new")
        target.mkdir()
    assert caught.value.filename == str(target)
    assert names_in(target.parent) == ["out.mlc"]


def test_error_within_the_block_names_its_own_file(target: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, output_file(target):
        target.with_name("absent.wav").read_bytes()
    assert caught.value.filename == str(target.with_name("absent.wav"))


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


def test_target_that_goes_meanwhile_is_not_taken_for_a_device(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device would be written directly."""
    real = os.stat
    looks = itertools.count()

    def stat(path: os.PathLike[str], *arguments: object, **keywords: object) -> os.stat_result:
        found: os.stat_result = real(path, *arguments, **keywords)  # type: ignore[arg-type]
        if path == old and next(looks) == 1:  # the first is check_output's
            old.unlink()
        return found

    monkeypatch.setattr(os, "stat", stat)
    with output_file(old, force=True) as file:
        file.write(b"new")
        file.flush()
        assert not os.path.lexists(old)
    assert old.read_bytes() == b"new"


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


def run_writer(target: Path, force: bool, way: str, fatal: int = 1000) -> int:
    """The exit status of another process that writes the target."""
    arguments = [str(target), "forced" if force else "new", way, str(fatal)]
    return subprocess.run([sys.executable, "-c", WRITER, *arguments], stderr=subprocess.DEVNULL).returncode


@pytest.mark.parametrize("force", [False, True], ids=["new", "forced"])
def test_two_processes_never_write_one_target_at_once(force: bool, target: Path, way: str) -> None:
    with output_file(target) as file:
        file.write(b"first")
        file.flush()
        before = names_in(target.parent)
        assert run_writer(target, force, way) == 1
        assert names_in(target.parent) == before
    assert target.read_bytes() == b"first"
    assert run_writer(target, False, way) == 1
    assert target.read_bytes() == b"first"
    assert run_writer(target, True, way) == 0
    assert target.read_bytes() == b"halfwhole"
    assert names_in(target.parent) == ["out.mlc"]


@pytest.mark.parametrize("force", [False, True], ids=["new", "forced"])
def test_kill_at_any_moment_costs_nothing_and_leaves_nothing_that_lasts(
    force: bool, way: str, tmp_path: Path
) -> None:
    for fatal in itertools.count():
        target = tmp_path / str(fatal) / "out.mlc"
        archive = tmp_path / f"{fatal}.mlc"
        target.parent.mkdir()
        if force:
            target.write_bytes(b"old")
        if run_writer(target, force, way, fatal) != -signal.SIGKILL:
            break
        if force or target.exists():
            # Whoever moves a whole file away is not to lose it to the next run.
            assert target.read_bytes() in ([b"old", b"halfwhole"] if force else [b"halfwhole"])
            moved = target.read_bytes()
            target.rename(archive)
        with pytest.raises(ValueError), output_file(target) as file:
            file.write(b"bad")
            file.flush()
            raise ValueError
        assert names_in(target.parent) == []
        with output_file(target, force) as file:
            file.write(b"next")
        assert names_in(target.parent) == ["out.mlc"]
        assert not archive.exists() or archive.read_bytes() == moved
    assert fatal >= 5
    assert names_in(target.parent) == ["out.mlc"]


def test_killed_forced_run_leaves_what_was_there(old: Path, mark: Path, way: str) -> None:
    """It also survives if a kill left the hidden name of an earlier release as a link to it."""
    for fatal in range(6):
        mark.unlink(missing_ok=True)
        mark.hardlink_to(old)
        assert run_writer(old, True, way, fatal) == -signal.SIGKILL
        assert old.read_bytes() == b"old"


def test_failure_leaves_what_has_the_hidden_name_too(old: Path, mark: Path) -> None:
    mark.hardlink_to(old)
    with pytest.raises(ValueError), output_file(old, force=True):
        raise ValueError
    assert old.read_bytes() == b"old"
    assert names_in(old.parent) == ["out.mlc"]


def test_forced_run_removes_the_second_name_of_what_it_replaces(old: Path, mark: Path) -> None:
    mark.hardlink_to(old)
    with output_file(old, force=True) as file:
        file.write(b"new")
    assert old.read_bytes() == b"new"
    assert names_in(old.parent) == ["out.mlc"]


def test_output_that_was_moved_away_is_not_written_again(old: Path, mark: Path) -> None:
    mark.hardlink_to(old)
    archive = old.with_name("archive.mlc")
    old.rename(archive)
    with output_file(old) as file:
        file.write(b"new")
    assert (archive.read_bytes(), old.read_bytes()) == (b"old", b"new")
    assert names_in(old.parent) == ["archive.mlc", "out.mlc"]


LEFT = [f".out.mlc.unfinished.{number:016x}" for number in range(50)]
KEPT = [
    ".another.mlc.unfinished",
    ".another.mlc.unfinished.0123456789abcdef",
    ".out.mlc",
    ".out.mlc.unfinished.0123456789abcdef.unfinished",
    ".out.mlc.unfinished.my-own",
    ".outxmlc.unfinished.0123456789abcdef",
]


@pytest.mark.parametrize("how", ["writing", "failing", "sweeping"])
def test_leftovers_are_swept_unread_and_those_of_others_kept(how: str, target: Path, mark: Path) -> None:
    folder = target.parent
    victim = folder / "victim"
    for path in [victim, mark, *(folder / name for name in KEPT + LEFT[2:])]:
        path.write_bytes(b"precious")
    (folder / LEFT[0]).symlink_to(victim)
    (folder / LEFT[1]).hardlink_to(victim)
    if how == "sweeping":
        sweep(target)
    elif how == "failing":
        with pytest.raises(ValueError), output_file(target):
            raise ValueError
    else:
        with output_file(target):
            pass
    left = [*KEPT, "victim", *(["out.mlc"] if how == "writing" else [])]
    assert names_in(folder) == sorted(left)
    assert {(folder / name).read_bytes() for name in [*KEPT, "victim"]} == {b"precious"}


def test_what_is_being_written_is_not_swept(target: Path) -> None:
    with output_file(target) as file:
        before = names_in(target.parent)
        sweep(target)
        assert names_in(target.parent) == before
        file.write(b"new")
    assert target.read_bytes() == b"new"


def test_folder_is_listed_only_after_a_kill(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the time of a large batch would grow with the square of its files."""
    monkeypatch.setattr(os, "listdir", lambda _: pytest.fail("nobody was killed"))
    for force in [False, True]:
        with output_file(target, force):
            pass
    sweep(target)


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127], ids=["ascii", "two-byte letters"])
def test_name_of_the_greatest_length_is_possible(name: str, tmp_path: Path) -> None:
    with output_file(tmp_path / name) as file:
        file.write(b"new")
    assert names_in(tmp_path) == [name]


def test_unfinished_file_has_a_random_name_or_none(target: Path, mark: Path, way: str) -> None:
    with output_file(target) as file:
        file.write(b"half")
        file.flush()
        first, *others = names_in(target.parent)
        assert first == mark.name and mark.stat().st_size == 0
        if way == "nameless" and hasattr(os, "O_TMPFILE"):
            assert others == []
        else:
            [other] = others
            assert re.fullmatch(r"\.out\.mlc\.unfinished\.[0-9a-f]{16}", other)


def test_system_without_proc_is_served(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def link(source: str, target: str, **keywords: object) -> None:
        if source.startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with output_file(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert names_in(target.parent) == ["out.mlc"]
