"""--bitrate chooses among the rates that a model has."""

from pathlib import Path

import pytest

import melcodec_cli
from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode, UsageProblem
from melcodec_cli.systems.system import Reach, Shape, bit_rate_text, rows_for
from tests.shell import names


@pytest.mark.parametrize("bit_rate", ["250", "0.25k", "251", "250.0"])
def test_the_only_rate_of_a_model_is_the_default(folder: Path, tiny_bundle: Path, bit_rate: str) -> None:
    assert main(["compress", "-q", "talk.wav", "a.mlc"]) == ExitCode.OK
    assert main(["compress", "-q", "--bitrate", bit_rate, "talk.wav", "b.mlc"]) == ExitCode.OK
    assert Path("a.mlc").read_bytes() == Path("b.mlc").read_bytes()
    data = melcodec_cli.compress("talk.wav", bits_per_s=250, bundle=str(tiny_bundle))
    assert data == Path("a.mlc").read_bytes()


@pytest.mark.parametrize(
    ("bit_rate", "bits_per_s", "text"), [("6k", 6000, "6k"), ("300", 300, "300"), ("1500", 1500, "1.5k")]
)
def test_another_rate_is_refused_and_the_known_ones_named(
    folder: Path,
    tiny_bundle: Path,
    bit_rate: str,
    bits_per_s: float,
    text: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["compress", "--bitrate", bit_rate, "talk.wav"]) == ExitCode.USAGE
    said = f"--bitrate {text}: speech-16k offers 250 bit/s"
    assert capsys.readouterr().err == f"melcodec: talk.wav: {said}\n"
    with pytest.raises(UsageProblem, match=said.removeprefix("--")):
        melcodec_cli.compress("talk.wav", bits_per_s=bits_per_s, bundle=str(tiny_bundle))
    assert names(folder) == ["talk.wav"]


@pytest.mark.parametrize("bit_rate", ["much", "0", "-5", "k", "nan", "inf", "1e400", "5M"])
def test_an_invalid_rate_is_an_error(folder: Path, bit_rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", f"--bitrate={bit_rate}", "talk.wav"]) == ExitCode.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "--bitrate" in line and "is not a bit rate" in line


def test_a_shape_of_several_rows_has_several_rates() -> None:
    here = Reach(0, 0)
    shape = Shape(24_000, 320, 150, 10, 1024, here, here, rows=8, rows_sent=(1, 2, 4, 8))
    assert shape.bits_per_s == {1: 750, 2: 1500, 4: 3000, 8: 6000}
    assert [rows_for(shape, bits_per_s) for bits_per_s in (750, 1500, 2990, 6000, 2250, 7)] == [
        1,
        2,
        4,
        8,
        None,
        None,
    ]
    assert list(map(bit_rate_text, shape.bits_per_s.values())) == ["750", "1.5k", "3k", "6k"]
    assert shape.fits(shape.layout(75, 4)) and not shape.fits(shape.layout(75, 3))
