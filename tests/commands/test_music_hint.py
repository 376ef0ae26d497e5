"""The hint of `compress` that a model made for speech got something else."""

from pathlib import Path

import pytest

from melcodec_cli.cli import main
from melcodec_cli.evaluate.clip import CLIP
from melcodec_cli.evaluate.clips import read_speech
from tests.audio.test_voice import melody
from tests.models.test_facts import saying
from tests.models.test_hostile_bundle import edited
from tests.sounds import wav

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]
QUICKLY = ("compress", "--effort", "1")
HINT = "sounds like music or noise, but speech-16k is made for speech"


@pytest.fixture
def music(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{name}.wav" for name in ("one", "two")]
    for path in paths:
        path.write_bytes(wav(melody(4.1, 16000)))
    return [str(path) for path in paths]


@pytest.mark.usefixtures("user_bundles")
def test_music_is_pointed_out_once_in_a_run_and_on_stderr(music: list[str], capsys: Capture) -> None:
    assert main([*QUICKLY, *music, "-o", str(Path(music[0]).parent / "coded")]) == 0
    out, err = capsys.readouterr()
    assert err.count(HINT) == 1 and "--profile" not in err
    assert HINT not in out


@pytest.mark.usefixtures("user_bundles")
def test_quiet_runs_and_speech_are_left_in_peace(music: list[str], tmp_path: Path, capsys: Capture) -> None:
    assert main([*QUICKLY, "-q", music[0]]) == 0
    speech = tmp_path / "speech.wav"
    speech.write_bytes(wav(read_speech(CLIP)[: 5 * 16000]))
    assert main([*QUICKLY, str(speech)]) == 0
    assert HINT not in capsys.readouterr().err


def test_a_model_for_music_is_named_and_gives_no_hint_itself(
    music: list[str], tiny_bundle: Path, user_bundles: Path, capsys: Capture
) -> None:
    def for_music(header: dict[str, dict[str, str]]) -> None:
        header["__metadata__"]["name"] = "any-sound"
        saying("suits", lambda suits: ["speech", "music"])(header)

    user_bundles.mkdir(parents=True)
    edited(tiny_bundle, user_bundles / "any-sound.safetensors", for_music)
    assert main([*QUICKLY, music[0]]) == 0
    assert f"{HINT}; --profile any-sound takes any sound" in capsys.readouterr().err
    assert main([*QUICKLY, "--profile", "any-sound", music[1]]) == 0
    assert "sounds like" not in capsys.readouterr().err
