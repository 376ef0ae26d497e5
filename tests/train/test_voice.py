"""The fit of the detector of voices."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from melcodec_cli.audio.voice import voice_log_odds
from melcodec_cli.evaluate.clip import CLIP
from melcodec_cli.evaluate.clips import read_speech
from melcodec_cli.train.voice import Example, fit, main, right
from tests.audio.test_voice import melody


def made_up(source: str, voice: bool, count: int, spread: float) -> list[Example]:
    """Clues around zero, so that only their size tells one kind from the other."""
    random = np.random.default_rng([voice, count])
    return [
        Example(source, f"{source} {number}", voice, spread * random.standard_normal(5))
        for number in range(count)
    ]


def test_the_fit_tells_what_no_clue_alone_does() -> None:
    found = made_up("talk", True, 60, 0.3) + made_up("songs", False, 200, 3.0)
    numbers = fit(found)
    told = [(voice_log_odds(each.clues, numbers) > 0) == each.voice for each in found]
    assert np.mean(told) > 0.97
    assert right(found).mean() > 0.95  # of those that a fit has not seen


def test_kinds_that_cannot_be_told_apart_are_right_half_of_the_time() -> None:
    found = made_up("talk", True, 100, 1.0) + made_up("songs", False, 101, 1.0)
    numbers = fit(found)
    told = [(voice_log_odds(each.clues, numbers) > 0) == each.voice for each in found]
    assert 0.4 < right(found).mean() < 0.65 and np.mean(told) < 0.8


def test_the_script_reads_folders_and_prints_the_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech = read_speech(CLIP)
    for number in range(4):
        for kind, audio in (("talk", speech[number * 16000 :][:65600]), ("songs", melody(4.1, 16000))):
            (tmp_path / kind / f"{number}").mkdir(parents=True)
            soundfile.write(tmp_path / kind / f"{number}" / f"{kind}_{number}.wav", audio, 16000)
    soundfile.write(tmp_path / "songs" / "0" / "short.wav", melody(1, 16000), 16000)
    folders = ["--voices", str(tmp_path / "talk"), "--others", str(tmp_path / "songs")]
    main(folders, standalone_mode=False)
    out = capsys.readouterr().out
    assert "voices: 100.0% of 4" in out and "others: " in out and "% of 4\n" in out
    assert out.count("[") == 9  # two rows of five numbers, and a square of six
