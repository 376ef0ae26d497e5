"""The listener, trained on aligned phones, measures how far two mels differ in what it hears."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from melcodec_cli.cli import main
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.systems.fmel.config import PhonesConfig, Profile
from melcodec_cli.systems.fmel.phones import PHONES as COUNT
from melcodec_cli.systems.fmel.phones import PhoneListener
from melcodec_cli.systems.fmel.train.coder import CoderLosses, CoderTask
from melcodec_cli.systems.fmel.train.phones import PhonesTask, Spoken, spoken
from melcodec_cli.train.alignment import PHONES, UNKNOWN, Alignment, open_alignment, spoken_words
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.corpus import Corpus, open_corpus
from melcodec_cli.train.folders import Clip
from melcodec_cli.train.presets import read_preset
from melcodec_cli.train.task import Moment
from tests.train.tiny import rows, tiny_preset

pytestmark = pytest.mark.slow

PROFILE = Profile.from_dict(read_preset("tiny").profile)
SENTENCE = Path(__file__).parents[2] / "melcodec_cli/evaluate/builtin/speechocean762-010440053.opus"
TEXT = "DAVID IS AN EXPERT AT AMERICAN FOOTBALL"
SPELLED = "D EY V IH D IH Z AE N EH K S P ER T AE T AH M EH R IH K AH N F UH T B AO L"
NOTE_HZ = {1: 400.0, 2: 1900.0}  # stand for two phones


@pytest.mark.parametrize(
    "text, language, words",
    [
        ("BILLY GOT THE SKIRT.", "en", ["billy", "got", "the", "skirt"]),
        ("don’t, she said", "en (L1 zh)", ["don't", "she", "said"]),
        ("what", "", ["what"]),
        ("Übung", "de", []),
        ("in 1942", "en", []),
        ("", "en", []),
    ],
)
def test_only_english_whose_words_are_known_is_aligned(text: str, language: str, words: list[str]) -> None:
    assert spoken_words(text, language) == words


def test_the_phones_of_a_sentence_are_found_once_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clip with its transcript, another of a word that is in no dictionary."""
    pytest.importorskip("pocketsphinx")
    for name in ("a", "b"):
        shutil.copy(SENTENCE, tmp_path / f"{name}.opus")
    said = f"path,speaker,language,text\na.opus,x,en,{TEXT}\nb.opus,y,en,qzxv\n"
    (tmp_path / "manifest.csv").write_text(said)
    corpus = open_corpus([tmp_path], tmp_path / "cache", 16000)
    alignment = open_alignment(corpus)
    assert "(50%), 1 clips with a word that is not in the dictionary" in capsys.readouterr().err
    [row] = np.flatnonzero(alignment.counts)
    assert corpus.clips[row].inside == "a.opus"
    assert alignment.counts[row] == pytest.approx(corpus.lengths[row] / 160, abs=1)
    heard = [PHONES[label] for label in alignment.labels]
    changes = [
        phone for phone, before in zip(heard, ["SIL", *heard], strict=False) if phone not in (before, "SIL")
    ]
    assert " ".join(changes) == SPELLED
    monkeypatch.setattr("melcodec_cli.train.alignment._aligned", None)  # the second time needs no recogniser
    again = open_alignment(open_corpus([tmp_path], tmp_path / "cache", 16000))
    assert (again.labels == alignment.labels).all()


def test_labels_are_found_by_their_place_in_the_corpus() -> None:
    clips = [Clip(f"{n}.wav", f"{n}.wav", "s", str(n), "train", "CC0-1.0") for n in range(3)]
    starts = np.array([0, 480, 960])
    corpus = Corpus(
        np.zeros(1440, np.int16), starts, np.full(3, 480), np.full(3, 8000.0), clips, {}, 16000, ""
    )
    alignment = Alignment(np.array([5, 6, 7, 8], np.int8), np.array([0, 3, 3]), np.array([3, 0, 1]))
    places = np.array([[0, 159, 160, 479], [480, 900, 960, 1120]])
    assert alignment.at(corpus, places).tolist() == [[5, 5, 6, 7], [UNKNOWN, UNKNOWN, 8, UNKNOWN]]
    nothing = torch.zeros(1, 480)
    crops = Crops(nothing, nothing, nothing, torch.zeros(1))
    assert spoken(crops, np.array([80]), corpus, alignment, 160).phones.tolist() == [[6, 7, UNKNOWN]]


def spoken_in_notes(seed: int) -> Spoken:
    """Crops of two phones, each a note of .1 s, in random order; what lies before the first is unknown."""
    rng = np.random.default_rng(seed)
    order = rng.integers(1, 3, (8, 9))
    time_s = np.arange(1600) / 16000
    notes = np.stack(
        [np.stack([np.sin(2 * np.pi * NOTE_HZ[note] * time_s) for note in row]) for row in order]
    )
    noise = rng.normal(0, 0.01, (8, 14400))
    audio = torch.from_numpy(0.2 * notes.reshape(8, -1) + noise).float()
    phones = torch.from_numpy(order.repeat(10, 1))
    phones[:, :10] = UNKNOWN
    return Spoken(audio, audio, audio, torch.full((8,), 8000.0), phones=phones)


def trained_on_notes(steps: int) -> tuple[PhonesTask, list[float]]:
    torch.manual_seed(1)
    task = PhonesTask(PROFILE.mel, PhoneListener(80, PhonesConfig(stride=2, width=16, blocks=1)))
    task.prepare(spoken_in_notes(0))
    optimiser = torch.optim.AdamW(task.parameters(), 1e-2)
    losses = []
    for step in range(steps):
        loss, _ = task.loss("stage", spoken_in_notes(step), Moment(step, 0.0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return task.eval(), losses


def test_it_learns_to_tell_phones_apart() -> None:
    task, losses = trained_on_notes(30)
    assert np.mean(losses[-5:]) < 0.2 * np.mean(losses[:5])
    figures = task.evaluate(spoken_in_notes(99))
    assert figures["phone_error"] < 0.1
    assert figures["frame_error"] == pytest.approx(figures["phone_error"])  # there is no silence


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_there_is_a_step_for_every_whole_stride(stride: int) -> None:
    listener = PhoneListener(80, PhonesConfig(stride=stride, width=16, blocks=2)).eval()
    assert listener.scores(torch.randn(1, 48, 80)).shape == (1, 48 // stride, COUNT)
    assert len(PHONES) == COUNT


def test_it_hears_no_difference_in_the_same_and_more_the_more_noise_there_is() -> None:
    task, _ = trained_on_notes(30)
    listener, mel = task.stage, task.mel(spoken_in_notes(99).audio)
    noise = torch.randn(mel.shape, generator=torch.Generator().manual_seed(1))
    heard = listener.heard(mel)
    far = [listener.difference(mel + share * noise, heard).mean().item() for share in (0.0, 0.3, 1.0, 3.0)]
    assert far[0] == pytest.approx(0, abs=1e-6)
    assert far == sorted(far) and far[-1] > 10 * far[1] > 0


def test_the_coder_is_led_by_what_the_listener_hears_and_does_not_train_it() -> None:
    torch.manual_seed(1)
    listener = PhoneListener(80, PhonesConfig(width=16, blocks=1)).eval().requires_grad_(False)
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


def test_training_all_trains_it_first_and_packs_it_with_the_model(run: Path) -> None:
    assert "phone_error" in rows(run / "phones" / "log.csv")[-1]
    assert "phones" in rows(run / "coder" / "log.csv")[-1]
    assert list(read_bundle_info(run / "tiny.safetensors").training["stages"])[0] == "phones"


def test_the_search_goes_by_it_too(run: Path, speech: Path, tmp_path: Path) -> None:
    """The same bundle with and without: other indices, and an id that does not hang on it."""
    from melcodec_cli.models.bundle import load_bundle
    from melcodec_cli.systems.fmel.chain import Chain
    from melcodec_cli.systems.span import Span

    chain = load_bundle(read_bundle_info(run / "tiny.safetensors"), "cpu").system
    assert isinstance(chain, Chain) and chain.phones is not None
    audio, _ = soundfile.read(speech / "s1" / "a.wav", dtype="float32")
    span, coded = Span(0, 50, 0), []
    for weight in (0.0, 50.0):
        chain.search.config = dataclasses.replace(chain.search.config, phones=weight)
        coded.append(chain.encode([audio], [span], {"effort": 4})[0])
    assert (coded[0].indices != coded[1].indices).any()
    mel = chain.mel(torch.from_numpy(audio).unsqueeze(0))
    heard, differences = chain.phones.heard(mel), []
    for each in coded:
        globals_ = None if each.globals_ is None else torch.from_numpy(each.globals_).expand(1, 50, -1)
        decoded = chain.coder.decode(torch.from_numpy(each.indices[:, 0]).unsqueeze(0), globals_)
        differences.append(chain.phones.difference(decoded, heard).mean().item())
    assert differences[1] < differences[0]


@pytest.mark.parametrize("stage", ["phones", "all"])
@pytest.mark.parametrize("text", ["", "5"])
def test_a_corpus_without_transcripts_is_a_line(
    stage: str, text: str, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pocketsphinx")
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
