"""The listener, trained on transcripts, measures how far two mels differ in what it hears."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from melcodec_cli.cli import main
from melcodec_cli.errors import UsageProblem
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.train.coder import CoderLosses, CoderTask
from melcodec_cli.systems.fmel.train.letters import letter_errors, letters_of, merged, spelled, text_of
from melcodec_cli.systems.fmel.train.listener import Listener, ListenerConfig
from melcodec_cli.systems.fmel.train.phones import PhonesTask
from melcodec_cli.systems.fmel.train.utterances import Spoken, Utterances, dev_utterances
from melcodec_cli.train.augmentation import Augmentation
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.folders import Clip
from melcodec_cli.train.presets import read_preset
from melcodec_cli.train.task import Moment
from tests.train.tiny import rows, tiny_preset

pytestmark = pytest.mark.slow

PROFILE = Profile.from_dict(read_preset("tiny").profile)
WORDS = ["aba", "bab", "aab", "abba", "ab", "ba"]
NOTE_HZ = {"a": 400.0, "b": 1900.0}
HALF_OFF = Augmentation(equaliser=0.5, no_speech=1.0, edge=1.0, noise=1.0)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("BILLY GOT THE SKIRT", "billy got the skirt"),
        ("Weißenburg-Gunzenhausen,  „benannt“.", "weissenburg gunzenhausen benannt"),
        ("Über U\u0308bung, don’t café!", "über übung don't cafe"),
        ("in 1942", ""),
        ("привет", ""),
        ("", ""),
    ],
)
def test_transcripts_are_spelled_alike(text: str, expected: str) -> None:
    assert spelled(text) == expected
    assert text_of(letters_of(text)) == expected


def test_successive_frames_say_a_letter_once_unless_a_blank_parts_them() -> None:
    a, b = letters_of("ab")
    assert text_of(merged([0, a, a, 0, a, b, b, 0])) == "aab"
    assert merged([]) == []


@pytest.mark.parametrize("heard, errors", [("abba", 0), ("aba", 1), ("xabba", 1), ("abxa", 1), ("", 4)])
def test_errors_are_letters_changed_taken_out_and_put_in(heard: str, errors: int) -> None:
    assert letter_errors("abba", heard) == letter_errors(heard, "abba") == errors


def spoken_in_notes() -> Corpus:
    """Words of two letters, each a note of 0.12 s; one clip is too long, one says nothing, one holds digits."""
    time_s = np.arange(1920) / 16000
    texts = [*WORDS, "ab" * 20, "", "a4"]
    clips, audio = [], []
    for number, text in enumerate(texts):
        notes = [np.sin(2 * np.pi * NOTE_HZ.get(letter, 900) * time_s) for letter in text or "a"]
        audio.append(np.concatenate([np.concatenate([note, 0 * note[:960]]) for note in notes]))
        split = "dev" if text == "ba" else "train"
        clips.append(
            Clip(f"{number}.wav", f"{number}.wav", "notes", str(number), split, "CC0-1.0", text=text)
        )
    lengths = np.array([len(each) for each in audio])
    noise = np.random.default_rng(1).normal(0, 0.01, lengths.sum())
    samples = np.rint((0.2 * np.concatenate(audio) + noise) * 32767).astype(np.int16)
    starts = np.cumsum(lengths) - lengths
    return Corpus(samples, starts, lengths, np.full(len(clips), 8000.0), clips, {}, 16000, "")


def test_batches_are_whole_transcribed_clips_with_silence_after_them() -> None:
    corpus = spoken_in_notes()
    utterances = Utterances(corpus, "train", {}, HALF_OFF, longest_s=2, multiple_samples=640)
    assert {corpus.clips[i].text for i in utterances.rows} == set(WORDS) - {"ba"}
    drawn = utterances.draw(6, 32000, seed=3)
    assert drawn.audio.shape[1] % 640 == 0
    for row in range(6):
        text = text_of(drawn.letters[row].tolist())
        assert len(text) == drawn.counts[row]
        assert drawn.inside[row].sum() == 2880 * len(text)
        assert not (drawn.audio[row] + drawn.noisy[row])[~drawn.inside[row]].any()
    loudness = drawn.audio.square().sum(1) / drawn.inside.sum(1)
    assert (loudness > 0).all() and not torch.equal(drawn.audio, drawn.noisy)
    assert torch.equal(drawn.noisy, utterances.draw(6, 32000, seed=3).noisy)
    with pytest.raises(UsageProblem, match="is at most 0.1 s long"):
        dev_utterances(corpus, set(), 0.1, 4, 640)
    dev = dev_utterances(corpus, {"other"}, 2, 4, 640)
    assert text_of(dev.letters[0].tolist()) == "ba" and len(dev.letters) == 1


def trained_on_notes(steps: int) -> tuple[PhonesTask, Spoken, list[float]]:
    torch.manual_seed(1)
    task = PhonesTask(PROFILE, ListenerConfig(stride=4, width=32, blocks=2))
    crops = dev_utterances(spoken_in_notes(), set(), 2, 8, 640)
    plain = Augmentation(equaliser=0.0, level_low_db=0.0, level_high_db=0.0)
    utterances = Utterances(spoken_in_notes(), "train", {}, plain, 2, 640)
    task.prepare(utterances.draw(8, 32000, 0))
    optimiser = torch.optim.AdamW(task.parameters(), 1e-2)
    losses = []
    for step in range(steps):
        loss, _ = task.loss("stage", utterances.draw(8, 32000, step), Moment(step, 0.0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return task.eval(), crops, losses


def test_it_learns_to_spell_a_word_that_it_never_heard() -> None:
    task, dev, losses = trained_on_notes(60)
    assert np.mean(losses[-5:]) < 0.2 * np.mean(losses[:5])
    assert task.evaluate(dev)["letter_error"] == 0


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 12])
def test_silence_after_a_clip_does_not_change_what_is_heard(stride: int) -> None:
    listener = Listener(80, ListenerConfig(stride=stride, width=16, blocks=2)).eval()
    mel = torch.randn(1, 48, 80)
    inside = torch.arange(71).view(1, 71, 1) < 48
    longer = torch.nn.functional.pad(mel, (0, 0, 0, 23), value=-5.0)
    steps = 48 // stride
    assert listener.steps(inside).sum() == steps
    alone, beside = listener.scores(mel), listener.scores(longer, inside)
    assert alone.shape[1] == steps and beside.shape[1] == 71 // stride
    assert torch.allclose(alone, beside[:, :steps], atol=1e-5)


def test_it_hears_no_difference_in_the_same_and_more_the_more_noise_there_is() -> None:
    task, dev, _ = trained_on_notes(60)
    listener, mel = task.stage, task.mel(dev.audio)
    noise = torch.randn(mel.shape, generator=torch.Generator().manual_seed(1))
    heard = listener.heard(mel)
    far = [listener.difference(mel + share * noise, heard).mean().item() for share in (0.0, 0.3, 1.0, 3.0)]
    assert far[0] == pytest.approx(0, abs=1e-6)
    assert far == sorted(far) and far[-1] > 10 * far[1] > 0


def test_the_coder_is_led_by_what_the_listener_hears_and_does_not_train_it() -> None:
    torch.manual_seed(1)
    listener = Listener(80, ListenerConfig(width=16, blocks=1)).eval().requires_grad_(False)
    only = CoderLosses(absolute=0, squared=0, codebook=0, envelope=0, difference=0, phones=1)
    task = CoderTask(PROFILE, only, listener=listener)
    audio = 0.1 * torch.randn(2, 6400)
    crops = Crops(audio, audio, audio, torch.full((2,), 8000.0))
    task.prepare(crops)
    loss, figures = task.loss("stage", crops, Moment(0, 0.0))
    loss.backward()
    assert figures["phones"] == pytest.approx(loss.item()) and loss.item() > 0
    weight = task.stage.decoder.head.weight.grad
    assert weight is not None and weight.abs().sum() > 0
    assert not any("listener" in name for name in task.state_dict())
    assert not CoderTask(PROFILE, CoderLosses(), listener=listener).listener


def test_training_all_trains_it_first_where_the_coder_listens_and_packs_it_nowhere(run: Path) -> None:
    assert "letter_error" in rows(run / "phones" / "log.csv")[-1]
    assert "phones" in rows(run / "coder" / "log.csv")[-1]
    assert "phones" not in read_bundle_info(run / "tiny.safetensors").training["stages"]
    names = load_file(run / "tiny.safetensors").keys()
    assert not any(name.startswith(("phones", "listener")) for name in names)


def test_a_coder_listens_only_where_its_preset_says_so(run: Path, speech: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "phones", tmp_path / "phones")
    arguments = ["--preset", "tiny", "--data", str(speech), "--cache", str(run / "cache"), "--steps", "1"]
    assert main(["train", "coder", *arguments, "--run", str(tmp_path), "--device", "cpu"]) == 0
    assert "phones" not in rows(tmp_path / "coder" / "log.csv")[-1]


@pytest.mark.parametrize("stage", ["phones", "all"])
@pytest.mark.parametrize("text", ["", "5"])
def test_a_corpus_without_transcripts_is_a_line(
    stage: str, text: str, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "speech").mkdir()
    shutil.copy(speech / "s1" / "a.wav", tmp_path / "speech")
    (tmp_path / "speech" / "manifest.csv").write_text(f"path,speaker,text\na.wav,x,{text}\n")
    preset = tmp_path / "tiny.toml"
    preset.write_text(tiny_preset() + "[stages.coder.losses]\nphones = 0.1\n")
    arguments = ["--preset", str(preset), "--data", str(tmp_path / "speech"), "--run", str(tmp_path / "run")]
    assert main(["train", stage, *arguments, "--steps", "1"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "transcripts" in line
    assert not (tmp_path / "run").exists()
