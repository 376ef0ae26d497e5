"""Which model codes a recording: the default, a chosen one, or one for its rate. The file names its model."""

import dataclasses
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from mlcfile import Reader

import melcodec_cli
from melcodec_cli import api
from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.models.choose import ModelChoice, Models
from melcodec_cli.models.installed import Published, read_bundle_info
from tests.conftest import write_tiny_bundle
from tests.models.test_facts import saying
from tests.models.test_hostile_bundle import edited
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

RATES_HZ = {"phone": 8000, "voice": 16000, "almost": 31999, "half": 32000, "full": 48000}


@pytest.fixture
def recordings(tmp_path: Path, user_bundles: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings of each rate in the current folder."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, rate_hz in RATES_HZ.items():
        (folder / f"{name}.wav").write_bytes(wav(noise(0.3, rate_hz), rate_hz))
    return folder


@pytest.fixture
def both(recordings: Path, user_bundles: Path, tiny_48k_bundle: Path) -> Path:
    """The same, with the model for 48 kHz installed as well as the default."""
    user_bundles.mkdir(parents=True)
    (user_bundles / "speech-48k.safetensors").write_bytes(tiny_48k_bundle.read_bytes())
    return recordings


def model_of(data: bytes) -> str:
    """The rate and id given in a file."""
    header = Reader(io.BytesIO(data)).header
    return f"{header.layout.model_rate_hz} {header.bitstream_id.hex()}"


def published(bitstream_id: str) -> Published:
    return Published("speech-48k", bitstream_id, "CC0-1.0", 48_000, ("speech",))


def name_in_files(bundle: Path) -> str:
    info = read_bundle_info(bundle)
    return f"{info.profile['mel']['rate_hz']} {info.bitstream_id}"


@pytest.mark.parametrize(
    ("options", "takes_48k"),
    [
        ([], []),
        (["--profile", "speech-16k"], []),
        (["--profile", "speech-48k"], list(RATES_HZ)),
        (["--profile", "auto"], ["half", "full"]),
    ],
    ids=["nothing asked", "16k", "48k", "auto"],
)
def test_every_file_of_a_batch_gets_its_model_and_comes_back_without_an_option(
    both: Path, tiny_bundle: Path, tiny_48k_bundle: Path, options: list[str], takes_48k: list[str]
) -> None:
    assert main(["compress", "-q", *options, "-o", "coded", *sorted(map(str, both.glob("*.wav")))]) == 0
    for name in RATES_HZ:
        bundle = tiny_48k_bundle if name in takes_48k else tiny_bundle
        assert model_of(Path(f"coded/{name}.wav.mlc").read_bytes()) == name_in_files(bundle)
    assert main(["decompress", "-q", "-r", "coded", "-o", "back"]) == 0
    for name, rate_hz in RATES_HZ.items():
        back = soundfile.info(f"back/{name}.wav")
        assert (back.samplerate, back.frames) == (rate_hz, round(0.3 * rate_hz))


def test_json_says_which_model_each_file_went_through(both: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def models() -> dict[str, str]:
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return {Path(record["source"]).stem.removesuffix(".wav"): record["bundle"] for record in records}

    expected = {"phone": "speech-16k", "full": "speech-48k"}
    assert main(["compress", "--json", "--profile", "auto", "-o", "coded", "phone.wav", "full.wav"]) == 0
    assert models() == expected
    assert main(["decompress", "--json", "-r", "coded", "-o", "back"]) == 0
    assert models() == expected


def test_a_file_of_a_batch_is_the_same_as_alone(both: Path) -> None:
    assert main(["compress", "-q", "--profile", "auto", "-o", "coded", "phone.wav", "full.wav"]) == 0
    for name in ("phone", "full"):
        assert main(["compress", "-q", "--profile", "auto", f"{name}.wav"]) == 0
        assert Path(f"{name}.wav.mlc").read_bytes() == Path(f"coded/{name}.wav.mlc").read_bytes()


def test_auto_without_the_model_for_48_khz_takes_the_default_and_says_so_once(
    recordings: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compress", "--profile", "auto", "-o", "coded", "phone.wav", "half.wav", "full.wav"]) == 0
    errors = capsys.readouterr().err
    assert errors.count("speech-48k is not installed, using speech-16k instead; ") == 1
    assert "melcodec models add FILE" in errors
    for name in ("phone", "half", "full"):
        assert model_of(Path(f"coded/{name}.wav.mlc").read_bytes()) == name_in_files(tiny_bundle)
    assert main(["compress", "-q", "--profile", "auto", "full.wav"]) == 0
    assert main(["compress", "--profile", "auto", "phone.wav"]) == 0
    assert "speech-48k" not in capsys.readouterr().err


def chosen(rate_hz: int) -> str:
    """The model that `auto` chooses for a recording of this rate."""
    choice = ModelChoice(profile="auto")
    return Models(lambda topic, line: None, lambda line: None, choice).bundle_for_rate(rate_hz).name


def test_auto_takes_the_highest_rate_whose_band_a_recording_fills(both: Path, user_bundles: Path) -> None:
    write_tiny_bundle(user_bundles / "between.safetensors", "between", 32000)
    rates_hz = (8000, 16000, 21333, 22050, 31999, 32000, 96000)
    names = ["speech-16k"] * 3 + ["between"] * 2 + ["speech-48k"] * 2
    assert list(map(chosen, rates_hz)) == names


def test_auto_takes_no_model_that_is_not_for_speech(
    both: Path, user_bundles: Path, tiny_48k_bundle: Path
) -> None:
    edit = saying("suits", lambda suits: ["music", "sound"])
    edited(tiny_48k_bundle, user_bundles / "speech-48k.safetensors", edit)
    assert chosen(48000) == "speech-16k"


def test_auto_takes_the_cheaper_of_two_of_a_rate(
    both: Path, user_bundles: Path, tiny_48k_bundle: Path
) -> None:
    for file, index_bits in (("a", 12), ("z", 9)):

        def edit(header: dict[str, Any], file: str = file, index_bits: int = index_bits) -> None:
            header["__metadata__"]["name"] = file
            sizes = {"index_bits": index_bits, "codewords": 1 << index_bits}
            saying("shape", lambda shape: shape | sizes)(header)

        edited(tiny_48k_bundle, user_bundles / f"{file}.safetensors", edit)
        assert chosen(48000) == ("speech-48k" if file == "a" else "z")
        assert chosen(16000) == "speech-16k"


def test_a_profile_that_is_not_installed_is_named_with_how_to_get_it(
    recordings: Path,
    tiny_48k_bundle: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["compress", "--profile", "speech-48k", "full.wav"]
    assert main(command) == ExitCode.MODEL
    line = "melcodec: no bundle is named 'speech-48k'; installed: speech-16k; "
    assert capsys.readouterr().err == f"{line}install a bundle with 'melcodec models add FILE'\n"
    monkeypatch.setattr("melcodec_cli.models.installed.PUBLISHED", (published("01020304"),))
    assert main(command) == ExitCode.MODEL
    assert "source tree as melcodec_cli/bundles/none/speech-48k.safeten" in capsys.readouterr().err
    licensed = "speech-48k (CC BY-NC-SA 4.0)"
    monkeypatch.setattr("melcodec_cli.models.installed.PUBLISHED_FOLDER", tiny_48k_bundle.parent)
    assert main(command) == ExitCode.MODEL
    assert (
        capsys.readouterr().err == f"{line}install {licensed} with 'melcodec models add {tiny_48k_bundle}'\n"
    )


@pytest.fixture
def wanted(recordings: Path, tiny_48k_bundle: Path) -> str:
    """The bitstream id of full.mlc, whose model is not installed."""
    assert main(["compress", "-q", "--bundle", str(tiny_48k_bundle), "full.wav", "full.mlc"]) == 0
    return read_bundle_info(tiny_48k_bundle).bitstream_id


def test_a_file_whose_model_is_not_installed_names_it_with_how_to_get_it(
    wanted: str,
    tiny_48k_bundle: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["decompress", "full.mlc", "back.wav"]) == ExitCode.MODEL
    error = capsys.readouterr().err
    assert f"needs a bundle of bitstream id {wanted}; installed: speech-16k " in error
    assert "'melcodec models add FILE'" in error and not Path("back.wav").exists()
    monkeypatch.setattr("melcodec_cli.models.installed.PUBLISHED", (published(wanted),))
    assert main(["decompress", "full.mlc", "back.wav"]) == ExitCode.MODEL
    assert (
        "speech-48k (CC0-1.0) is in melcodec's source tree as melcodec_cli/bundles/"
        in capsys.readouterr().err
    )
    monkeypatch.setattr("melcodec_cli.models.installed.PUBLISHED_FOLDER", tiny_48k_bundle.parent)
    for command in (["decompress", "full.mlc", "back.wav"], ["info", "full.mlc"]):
        main(command)
        assert (
            f"install speech-48k (CC BY-NC-SA 4.0) with 'melcodec models add {tiny_48k_bundle}'"
            in "".join(capsys.readouterr())
        )
    assert main(["models", "add", str(tiny_48k_bundle)]) == 0
    assert main(["decompress", "-q", "full.mlc", "back.wav"]) == 0


def test_a_file_of_an_earlier_model_names_its_bundle_which_decodes_it(
    wanted: str,
    tiny_48k_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("melcodec_cli.models.installed.EARLIER", {wanted: "speech-48k"})
    monkeypatch.setattr("melcodec_cli.models.choose.EARLIER", {wanted: "speech-48k"})
    place = f"melcodec_cli/bundles/earlier/speech-48k-{wanted}.safetensors of melcodec's source tree"
    assert main(["decompress", "full.mlc", "back.wav"]) == ExitCode.MODEL
    assert capsys.readouterr().err.endswith(f"; an earlier speech-48k made it: use --bundle {place}\n")
    kept = tmp_path / f"speech-48k-{wanted}.safetensors"
    kept.write_bytes(tiny_48k_bundle.read_bytes())
    monkeypatch.setattr("melcodec_cli.models.installed.EARLIER_FOLDER", tmp_path)
    assert main(["decompress", "full.mlc", "back.wav"]) == ExitCode.MODEL
    assert capsys.readouterr().err.endswith(f": use --bundle {kept}\n")
    assert main(["decompress", "-q", "--bundle", str(kept), "full.mlc", "back.wav"]) == 0


def test_a_profile_is_found_under_whatever_name_its_bundle_has(
    recordings: Path, user_bundles: Path, tmp_path: Path
) -> None:
    from melcodec_cli.models.bundle import load_bundle, save_bundle

    other = tmp_path / "other.safetensors"
    write_tiny_bundle(other, "narrow", 8000)
    user_bundles.mkdir(parents=True)
    save_bundle(load_bundle(other).system, user_bundles / "a.safetensors", "mine", "CC0-1.0", {})
    for asked in ("narrow", "mine"):
        assert main(["compress", "-q", "--profile", asked, "phone.wav", f"{asked}.mlc"]) == 0
        assert model_of(Path(f"{asked}.mlc").read_bytes()) == name_in_files(other)


def test_a_profile_and_a_bundle_cannot_be_combined(
    recordings: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--profile", "speech-16k", "--bundle", str(tiny_bundle)]
    assert main(["compress", *arguments, "voice.wav"]) == ExitCode.USAGE
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def fresh_models() -> Iterator[None]:
    """Unload models, which programs keep even when a test installs others."""
    api.models_for.cache_clear()
    yield
    api.models_for.cache_clear()


def test_programs_choose_a_profile_too(
    both: Path, fresh_models: None, tiny_bundle: Path, tiny_48k_bundle: Path
) -> None:
    for profile, rate_hz, bundle in (
        (None, 48000, tiny_bundle),
        ("auto", 16000, tiny_bundle),
        ("auto", 48000, tiny_48k_bundle),
        ("speech-48k", 16000, tiny_48k_bundle),
    ):
        data = melcodec_cli.compress(noise(0.3, rate_hz), rate_hz=rate_hz, profile=profile)
        assert model_of(data) == name_in_files(bundle)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            samples, back_hz = melcodec_cli.decompress(data)
        assert (len(samples), back_hz) == (round(0.3 * rate_hz), rate_hz)


def test_a_program_finds_the_model_for_48_khz_once_it_is_added(
    recordings: Path, fresh_models: None, tiny_bundle: Path, tiny_48k_bundle: Path
) -> None:
    with pytest.warns(UserWarning, match="speech-48k is not installed"):
        before = melcodec_cli.compress("full.wav", profile="auto")
    assert main(["models", "add", str(tiny_48k_bundle)]) == 0
    after = melcodec_cli.compress("full.wav", profile="auto")
    assert [model_of(before), model_of(after)] == [name_in_files(tiny_bundle), name_in_files(tiny_48k_bundle)]


def test_info_says_the_licence_of_the_model(both: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "-q", "--profile", "auto", "full.wav"]) == 0
    assert main(["info", "full.wav.mlc"]) == 0
    assert "  model         speech-48k, CC BY-NC-SA 4.0\n" in capsys.readouterr().out
    assert main(["info", "--json", "full.wav.mlc"]) == 0
    (stream,) = json.loads(capsys.readouterr().out)["streams"]
    assert (stream["bundle"], stream["bundle_licence"]) == ("speech-48k", "CC BY-NC-SA 4.0")


def test_steps_without_a_refiner_are_reported_as_ignored(
    recordings: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from melcodec_cli.models.bundle import save_bundle
    from melcodec_cli.systems.fmel.chain import Chain
    from melcodec_cli.systems.fmel.config import Profile

    profile = Profile.from_dict(read_bundle_info(tiny_bundle).profile)
    save_bundle(
        Chain(dataclasses.replace(profile, refiner=None)), Path("bare.safetensors"), "bare", "CC0-1.0", {}
    )
    assert main(["compress", "--bundle", "bare.safetensors", "voice.wav", "voice.mlc"]) == 0
    for steps, told in (("0", 0), ("2", 1)):
        capsys.readouterr()
        options = ["--force", "--bundle", "bare.safetensors", "--steps", steps]
        assert main(["decompress", *options, "voice.mlc", "back.wav"]) == 0
        assert capsys.readouterr().err.count("bare has no option --steps, so it is ignored") == told
