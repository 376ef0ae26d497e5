"""Meltok is trained, packed and used like any other system, in each of its kinds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from melcodec_cli.cli import main
from melcodec_cli.systems.meltok.train.vocoder import VocoderLosses, VocoderTask
from melcodec_cli.systems.meltok.vocoder import TokenEar
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.presets import preset_text
from melcodec_cli.train.task import Moment
from tests.meltok.small import small_meltok, small_profile
from tests.train.tiny import rows

EVERY_LOSS = """
[stages.tokenizer.losses]
texture = 0.1
adversary = 0.1
adversary_from = 0.3
adversary_width = 4

[stages.vocoder.losses]
phase = 0.1
envelope = 0.1
adversary = 0.1
adversary_from = 0.3
adversary_width = 4
spectral_norm = true
"""
KIND_SETTINGS = {
    "tokens": ("", 'hears = "tokens"\n'),
    "line": ('structure = "line"\n', ""),
}


def preset_of(kind: str) -> str:
    tokenizer, vocoder = KIND_SETTINGS[kind]
    text = preset_text("tiny-audio") + EVERY_LOSS
    text = text.replace("[profile.tokenizer]", f"[profile.tokenizer]\n{tokenizer}#")
    text = text.replace("[profile.vocoder]", f"[profile.vocoder]\n{vocoder}")
    text = re.sub("seconds = .*", "seconds = 0.5", text)
    return text.replace("batch = 4", "batch = 2\nlog_steps = 1\ndev_seconds = 0.6")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chords in noise of all frequencies, in stereo; and one recording that holds nothing above 8 kHz."""
    folder = tmp_path_factory.mktemp("sounds")
    chance, time_s = np.random.default_rng(1), np.arange(2 * 44100) / 44100
    lines = ["path,source,speaker,licence,split"]
    for number in range(4):
        chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in chance.uniform(100, 4000, 4))
        hiss = chance.normal(0, 0.02, len(time_s))
        if number == 3:
            spectrum = np.fft.rfft(hiss)
            spectrum[int(8000 / 22050 * len(spectrum)) :] = 0
            hiss = np.fft.irfft(spectrum)
        both = 0.05 * chord[:, None] * [1.0, 0.5] + hiss[:, None]
        soundfile.write(folder / f"{number}.flac", both, 44100)
        lines.append(f"{number}.flac,chords,{number},CC0-1.0,{'dev' if number == 2 else 'train'}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tokens", "line"])  # the vocoder of "line" hears a mel
def test_the_tiny_preset_trains_and_codes(kind: str, sounds: Path, tmp_path: Path) -> None:
    preset, run = tmp_path / "tiny-audio.toml", tmp_path / "run"
    preset.write_text(preset_of(kind))
    arguments = ["--preset", str(preset), "--data", str(sounds), "--run", str(run), "--steps", "3"]
    assert main(["train", "all", *arguments, "--device", "cpu"]) == 0
    [*_, last] = rows(run / "tokenizer" / "log.csv")
    assert {"texture", "envelope", "balance", "adversary", "perplexity"} <= last.keys()
    [*_, last] = rows(run / "vocoder" / "log.csv")
    assert {"spectrum", "phase", "envelope", "features", "coded_mel_l1"} <= last.keys()
    assert ("decoded_l1" in last) == (kind == "tokens")

    bundle = ["--bundle", str(run / "tiny-audio.safetensors")]
    coded, decoded = tmp_path / "a.mlc", tmp_path / "a.wav"
    assert main(["compress", str(sounds / "0.flac"), str(coded), *bundle, "--channels", "keep"]) == 0
    assert main(["decompress", str(coded), str(decoded), *bundle]) == 0
    audio, rate_hz = soundfile.read(decoded)
    assert rate_hz == 44100 and audio.shape == (2 * 44100, 2)
    assert np.abs(audio).max() > 1e-3
    once = tmp_path / "b.wav"
    assert main(["decompress", str(coded), str(once), *bundle]) == 0
    assert once.read_bytes() == decoded.read_bytes()


def test_bandwidths_are_measured_in_the_cache_of_a_corpus_at_44_kHz(sounds: Path, tmp_path: Path) -> None:
    from melcodec_cli.train.corpus import open_corpus

    corpus = open_corpus([sounds], tmp_path, 44100)
    found = dict(zip((Path(clip.path).stem for clip in corpus.clips), corpus.bandwidths_hz, strict=True))
    assert found["0"] == 22050
    assert found["3"] == pytest.approx(8000, abs=300)
    index = json.loads((corpus.home / "index.json").read_text())  # type: ignore[operator]
    assert index["rate_hz"] == 44100


def test_a_source_of_weight_0_is_left_out_with_its_licence(sounds: Path, tmp_path: Path) -> None:
    from melcodec_cli.train.corpus import open_corpus

    other = tmp_path / "other"
    other.mkdir()
    (other / "x.flac").write_bytes((sounds / "1.flac").read_bytes())
    (other / "manifest.csv").write_text("path,source,licence\nx.flac,bought,CC BY-NC 4.0\n")
    assert "bought" in open_corpus([sounds, other], tmp_path / "cache", 44100).licences()
    without = open_corpus([sounds, other], tmp_path / "cache", 44100, without={"bought"})
    assert without.licences() == {"chords": "CC0-1.0"} and len(without.clips) == 4


def crops() -> Crops:
    audio = 0.1 * torch.randn(2, 12 * 2048, generator=torch.Generator().manual_seed(1))
    return Crops(audio, audio, audio, torch.tensor([22050.0, 6000.0]))


def test_a_vocoder_of_tokens_trains_its_own_decoder_and_leaves_the_tokenizer() -> None:
    tokenizer = small_meltok("tokens").tokenizer
    task = VocoderTask(small_profile("tokens"), VocoderLosses(), tokenizer)
    ear = task.stage.ear
    assert isinstance(ear, TokenEar)
    for name, weight in tokenizer.decoder.state_dict().items():
        assert torch.equal(weight, ear.decoder.state_dict()[name])
    loss, figures = task.loss("stage", crops(), Moment(0, 0.0))
    loss.backward()
    assert figures["decoded"] > 0
    assert all(weight.grad is not None for weight in ear.decoder.parameters())
    assert all(weight.grad is None for weight in tokenizer.parameters())


def test_a_few_steps_bring_the_sound_closer() -> None:
    torch.manual_seed(2)
    task = VocoderTask(small_profile("mel"), VocoderLosses(phase=0.1), small_meltok().tokenizer)
    optimiser = torch.optim.AdamW(task.stage.parameters(), 3e-3)
    before = task.evaluate(crops())
    for step in range(15):
        optimiser.zero_grad()
        task.loss("stage", crops(), Moment(step, 0.0))[0].backward()
        optimiser.step()
    after = task.evaluate(crops())
    assert next(iter(after)) == "coded_spectrum"  # the main figure
    assert after["coded_spectrum"] < 0.95 * before["coded_spectrum"]
    assert after["coded_mel_l1"] < 0.95 * before["coded_mel_l1"]


def test_nothing_above_the_bandwidth_of_a_recording_is_judged() -> None:
    from melcodec_cli.train.spectra import phase_loss, spectral_loss

    audio = crops().audio
    hiss = torch.fft.rfft(torch.randn(audio.shape, generator=torch.Generator().manual_seed(2)))
    hiss[:, : int(9000 / 22050 * hiss.shape[1])] = 0
    hissing = audio + 0.1 * torch.fft.irfft(hiss, audio.shape[1])
    for loss in (spectral_loss, phase_loss):
        everywhere, below = (
            float(loss(hissing, audio, 44100, torch.full((2,), hz))) for hz in (22050.0, 7000.0)
        )
        assert below < 0.2 * everywhere


def test_steps_of_the_phase_tell_a_shuffled_phase_from_a_delayed_sound() -> None:
    from melcodec_cli.train.spectra import phase_loss

    time_s = torch.arange(44100) / 44100
    tones_hz = torch.tensor([[220.0], [331.0], [1234.0]])
    real = torch.sin(2 * torch.pi * tones_hz * time_s).sum(0, keepdim=True)
    full = torch.full((1,), 22050.0)
    spectrum = torch.stft(real, 2048, 512, window=torch.hann_window(2048), return_complex=True)
    turned = torch.polar(spectrum.abs(), 6.28 * torch.rand(spectrum.shape))
    shuffled = torch.istft(turned, 2048, 512, window=torch.hann_window(2048), length=44100)
    assert phase_loss(real, real, 44100, full) < 1e-4
    assert phase_loss(real.roll(3, 1), real, 44100, full) < 0.1
    assert phase_loss(shuffled, real, 44100, full) > 0.3


def test_spectral_norm_holds_every_layer_of_the_judges_at_1() -> None:
    from melcodec_cli.train.discriminators import audio_judges, spectrally_normalised

    for kind in ("patched", "published"):
        judges = spectrally_normalised(audio_judges(kind, 44100, 4))
        layers = [layer for layer in judges.modules() if isinstance(layer, torch.nn.Conv2d)]
        audio = crops().audio[:, :8192]
        judges.judgement_loss(audio, audio)
        assert len(layers) > 10
        for layer in layers:
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)


def test_an_ear_for_tokens_begins_as_one_for_mels() -> None:
    """It is given the weights of a vocoder that hears mels, and at first hears the same in tokens."""
    mel, tokens = small_meltok("mel"), small_profile("tokens")
    task = VocoderTask(tokens, VocoderLosses(), mel.tokenizer)
    task.stage.load_state_dict(task.fitted(mel.vocoder.state_dict()))
    indices = torch.randint(tokens.tokenizer.codewords, (1, 9, tokens.rows))
    points = mel.tokenizer.points_of(indices)
    ear = task.stage.ear
    assert isinstance(ear, TokenEar)
    with torch.no_grad():
        heard = ear(points, ear.decoder.features(points))
        wanted = mel.vocoder.ear(mel.tokenizer.decoder(points))
        torch.testing.assert_close(heard, wanted)
        assert wanted.std() > 0.1
    narrower = {"ear.widen.weight": torch.zeros(3, 4), "ear.widen.bias": torch.zeros(3)}
    for other in (task.stage.state_dict(), {}, narrower):  # of tokens, of another stage, of another size
        assert task.fitted(other) is other
