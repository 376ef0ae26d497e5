"""The built wheel: what is in it, and that it works where nothing but its dependencies is installed."""

import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "melcodec_cli", "formats", "man")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves its work in the source tree and takes it up again next time."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in SOURCES:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, tree / name)
    more = tree / "melcodec_cli" / "bundles" / "more"
    more.mkdir(exist_ok=True)
    (more / "other.safetensors").write_bytes(b"a bundle that is no part of the package")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*build, "--wheel-dir", str(folder), str(tree)], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, which sees the dependencies of this one but not its melcodec."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, str(wheel)], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    # A path named in a .pth file is searched last, and .pth files in it (an editable install) have no effect.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return folder


def test_the_wheel_has_packages_models_clips_and_manuals_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package, folder in (("melcodec_cli", PROJECT), ("mlcfile", PROJECT / "formats")):
        modules = {str(path.relative_to(folder)) for path in (folder / package).rglob("*.py")}
        assert modules and modules == {
            name for name in names if name.startswith(f"{package}/") and name[-3:] == ".py"
        }
        assert f"{package}/py.typed" in names  # without which type checkers ignore the annotations
    assert "melcodec_cli/evaluate/recording/librispeech-302.flac" in names
    bundles = {name for name in names if name.startswith("melcodec_cli/bundles/")}
    assert bundles == {"melcodec_cli/bundles/speech-16k.safetensors"}
    presets = {str(path.relative_to(PROJECT)) for path in (PROJECT / "melcodec_cli").rglob("*.toml")}
    assert presets and presets == {name for name in names if name.endswith(".toml")}
    manuals = {name.partition("/data/")[2] for name in names if "/share/man/" in name}
    assert manuals == {
        f"share/man/man{path.suffix[1:]}/{path.name}" for path in (PROJECT / "man").glob("*.[0-9]")
    }
    assert "share/man/man1/melcodec-train.1" in manuals
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"melcodec_cli", "mlcfile", "melcodec"}


def test_the_installed_wheel_compresses_a_clip(installed: Path, tmp_path: Path) -> None:
    (clip,) = (installed / "lib").glob("python*/site-packages/melcodec_cli/evaluate/recording/*.flac")
    shutil.copy(clip, tmp_path / "clip.flac")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        [installed / "bin" / "melcodec", "compress", "clip.flac"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "clip.flac.mlc").is_file()
    assert (installed / "share" / "man" / "man1" / "melcodec.1").is_file()


def test_the_program_that_runs_is_the_wheel_s(installed: Path, tmp_path: Path) -> None:
    script = "import melcodec_cli, mlcfile; print(melcodec_cli.__file__, mlcfile.__file__)"
    result = subprocess.run(
        [installed / "bin" / "python", "-I", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(installed)) for path in result.stdout.split())
