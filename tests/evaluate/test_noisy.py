"""`--noisy`: the same clips on every run, as noisy as they should be, and compared with the clean ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.evaluate.clips import Clip
from melcodec_cli.evaluate.evaluation import Recording
from melcodec_cli.evaluate.noisy import Disturbances, NoisyInput, coloured, in_room, mixed, room
from melcodec_cli.evaluate.speech import Speech
from tests.sounds import noise, wav


@pytest.fixture
def recordings() -> list[Recording]:
    return [
        Recording(Clip(f"clip {seed}", Path()), Speech(0.3 * noise(1 + 0.1 * seed, seed=seed)))
        for seed in range(3)
    ]


def made(recordings: list[Recording], folder: Path, *more: list[Path]) -> list[Recording]:
    folder.mkdir()
    return list(Disturbances(*more).of(recordings, folder))


def test_every_run_makes_the_same_two_of_each_clip(recordings: list[Recording], tmp_path: Path) -> None:
    one, other = made(recordings, tmp_path / "a"), made(recordings, tmp_path / "b")
    assert [np.array_equal(x.given.sound, y.given.sound) for x, y in zip(one, other, strict=True)] == [
        True
    ] * 6
    assert [each.speech for each in one] == [each.speech for each in recordings for _ in range(2)]
    assert all(len(each.given.sound) == len(each.speech.sound) for each in one)
    assert len({each.clip.name for each in one}) == 6 and "room" in one[1].clip.name
    for each in one:
        correlation = np.corrcoef(each.given.sound, each.speech.sound)[0, 1]
        assert 0.5 < correlation < 0.999


@pytest.mark.parametrize("ratio_db", [5.0, 12.0, 20.0])
def test_noise_is_as_much_quieter_as_it_says(ratio_db: float) -> None:
    speech, random = 0.3 * noise(1), np.random.default_rng(1)
    heard = mixed(speech, coloured(len(speech), 16_000, random), ratio_db)
    added = heard - speech
    found_db = 10 * np.log10(np.square(speech).mean() / np.square(added).mean())
    assert found_db == pytest.approx(ratio_db, abs=0.05)
    assert np.abs(mixed(10 * speech, speech, ratio_db)).max() <= 0.99  # never clipped


def test_a_room_keeps_the_direct_sound_in_time_and_lets_it_ring() -> None:
    random = np.random.default_rng(1)
    click = np.zeros(16_000, np.float32)
    click[100] = 0.1
    heard = np.abs(in_room(click, room(16_000, random)))
    assert heard.argmax() == 100 and heard[:99].max() < 1e-6
    early, late = np.square(heard[101:1700]).sum(), np.square(heard[3300:4900]).sum()
    assert 0 < late < 0.1 * early


def test_noise_and_rooms_of_the_user_are_used(recordings: list[Recording], tmp_path: Path) -> None:
    hum = 0.1 * np.sin(2 * np.pi * 100 * np.arange(8000) / 16_000).astype(np.float32)
    echo = np.zeros(4000, np.float32)
    echo[[500, 2500]] = 0.8, 0.4  # half as loud, 125 ms later
    (tmp_path / "hum.wav").write_bytes(wav(hum))
    (tmp_path / "echo.wav").write_bytes(wav(echo))
    first, second, *_ = made(recordings, tmp_path / "a", [tmp_path / "hum.wav"], [tmp_path / "echo.wav"])
    added = np.abs(np.fft.rfft((first.given.sound - first.speech.sound)[:16_000]))
    assert added.argmax() == 100 and added[95:106].sum() > 0.9 * added.sum()
    gain = second.given.sound[0] / second.speech.sound[0]
    expected = second.speech.sound[2000:] + 0.5 * second.speech.sound[:-2000]
    assert np.allclose(second.given.sound[2000:], gain * expected, atol=1e-4)


@pytest.mark.slow
def test_the_noisy_input_is_a_row_that_is_worse_than_the_clean_one(
    tiny_bundle: Path, two_clip_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--noisy", "--no-judges", "--limit", "1", "--bundle", str(tiny_bundle), "--json", "-", "-q"]
    assert main(["evaluate", str(two_clip_folder), *arguments]) == ExitCode.OK
    model, given = json.loads(capsys.readouterr().out)["systems"]
    assert (model["name"], given["name"]) == ("tiny", NoisyInput.name)
    assert len(given["clips"]) == len(model["clips"]) == 2
    for clip, coded in zip(given["clips"], model["clips"], strict=True):
        assert clip["name"] == coded["name"]
        assert 0.1 < clip["scores"]["log_mel_l1"] < coded["scores"]["log_mel_l1"]


def test_noise_without_noisy_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--noise", str(tmp_path)]) == ExitCode.USAGE
    assert "--noise and --rooms need --noisy" in capsys.readouterr().err
