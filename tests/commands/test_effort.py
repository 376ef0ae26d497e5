"""What --effort changes, and what it does not."""

from pathlib import Path

import pytest

import melcodec_cli
from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, UsageProblem
from tests.shell import names
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


@pytest.fixture
def coded(tmp_path: Path, tiny_bundle: Path) -> dict[str, bytes]:
    """The same recording compressed with different options, by these options."""
    recording = tmp_path / "talk.wav"
    recording.write_bytes(wav(noise(2.0, 16000), 16000))
    made = {}
    for options in ("", "--effort 1", "--effort 2", "--effort 8"):
        target = tmp_path / f"{options}.mlc"
        arguments = ["compress", "-q", "--bundle", str(tiny_bundle), *options.split()]
        assert main([*arguments, str(recording), str(target)]) == ExitCode.OK
        made[options] = target.read_bytes()
    return made


def test_it_changes_the_indices_and_not_their_number(coded: dict[str, bytes], tiny_bundle: Path) -> None:
    assert coded[""] == coded["--effort 2"]
    assert len({coded[f"--effort {number}"] for number in (1, 2, 8)}) == 3
    assert len({len(data) for data in coded.values()}) == 1
    for data in coded.values():
        audio, rate_hz = melcodec_cli.decompress(data, bundle=str(tiny_bundle))
        assert (len(audio), rate_hz) == (32000, 16000)


def test_python_takes_it_as_well(coded: dict[str, bytes], tmp_path: Path, tiny_bundle: Path) -> None:
    recording = str(tmp_path / "talk.wav")
    assert melcodec_cli.compress(recording, effort=1, bundle=str(tiny_bundle)) == coded["--effort 1"]


@pytest.mark.parametrize("effort", ["0", "9", "much"])
def test_an_invalid_effort_is_an_error(effort: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "--effort", effort, "talk.wav"]) == ExitCode.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "--effort" in line
    assert names(folder) == ["talk.wav"]


def test_the_model_limits_the_effort(
    folder: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compress", "--effort", "9", "talk.wav"]) == ExitCode.USAGE
    assert capsys.readouterr().err == "melcodec: talk.wav: --effort 9: must be 1 to 8 for speech-16k\n"
    with pytest.raises(UsageProblem, match="effort 9: must be 1 to 8 for speech-16k"):
        melcodec_cli.compress("talk.wav", effort=9, bundle=str(tiny_bundle))
    assert main(["compress", "-q", "talk.wav"]) == ExitCode.OK
    assert main(["decompress", "--steps", "65", "talk.wav.mlc", "back.wav"]) == ExitCode.USAGE
    assert "--steps 65: must be 0 to 64 for speech-16k" in capsys.readouterr().err
    assert names(folder) == ["talk.wav", "talk.wav.mlc"]
