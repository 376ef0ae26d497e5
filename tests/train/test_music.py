"""Music that is made to be trained on: the same for the same seed, varied, and ready to be a corpus."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.train.bandwidth import bandwidth_hz
from melcodec_cli.train.corpus import open_corpus
from melcodec_cli.train.music import making
from melcodec_cli.train.music.midi import midi_of
from melcodec_cli.train.music.piece import DRUMS, Band, Note, Part, Piece, bands, composed
from melcodec_cli.train.music.synthesiser import RATE_HZ, synthesised


def spectrum_peak_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 8 * len(audio)))
    return float(spectrum.argmax() * RATE_HZ / (8 * len(audio)))


def test_the_same_seed_gives_the_same_files_and_another_seed_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(name: str, seed: str) -> list[bytes]:
        arguments = ["--pieces", "2", "--seconds", "1", "--seed", seed]
        assert main(["train", "make-music", str(tmp_path / name), *arguments]) == 0
        return [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]

    first = made("first", "1")
    assert len(first) == 3 and capsys.readouterr().out.split()[-1].endswith("manifest.csv")
    assert made("second", "1") == first
    assert all(one not in first for one in made("third", "2"))
    one, rate_hz = soundfile.read(io.BytesIO(first[0]), dtype="int16")
    assert (len(one), rate_hz) == (44100, 44100)
    assert 0.5 < np.abs(one).max() / 32768 < 0.99
    assert bandwidth_hz(one, rate_hz) > 12_000


def test_what_was_made_is_a_corpus_whose_licence_binds_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "make-music", str(tmp_path / "music"), "--pieces", "10", "--seconds", "1"]
    assert main(arguments) == 0
    corpus = open_corpus([tmp_path / "music"], tmp_path / "cache", 44100)
    assert [clip.split for clip in corpus.clips].count("dev") == 1 and len(corpus.clips) == 10
    assert corpus.licences() == {"made_music": "CC0-1.0"}
    assert main(arguments) == ExitCode.OUTPUT
    assert "already exists (use --force to replace it)" in capsys.readouterr().err


def test_no_instrument_plays_in_both_splits() -> None:
    train, dev = bands()
    for name in ("basses", "leads", "kits"):
        ours, theirs = set(getattr(train, name)), set(getattr(dev, name))
        assert ours and theirs and not ours & theirs


def test_pieces_differ_in_tempo_key_and_instruments_but_keep_to_their_band() -> None:
    band = bands()[0]
    pieces = [composed([1, number], 20, band) for number in range(20)]
    programs = {part.program for piece in pieces for part in piece.parts} - {DRUMS}
    assert len(programs) > 30 and programs <= {*band.leads, *band.basses}
    for piece in pieces:
        notes = [note for part in piece.parts for note in part.notes]
        assert notes and all(0 <= note.start_s < 20 and 0 < note.velocity < 128 for note in notes)
        assert all(12 <= note.pitch < 128 for note in notes)
    keys = [
        {note.pitch % 12 for part in piece.parts if part.program != DRUMS for note in part.notes}
        for piece in pieces
    ]
    assert len({tuple(sorted(key)) for key in keys}) > 8


@pytest.mark.parametrize("program", [0, 20, 25, 33, 48, 73], ids=lambda program: f"program {program}")
def test_the_synthesiser_plays_in_tune(program: int) -> None:
    note = Note(0.1, 1.0, 69, 100)
    audio = synthesised(Piece(1.3, [Part(program, 0, [note])]))
    assert np.abs(audio[: int(0.09 * RATE_HZ)]).max() < 1e-6
    peak_hz = spectrum_peak_hz(audio)
    overtone = round(peak_hz / 440)
    assert overtone >= 1 and abs(peak_hz - 440 * overtone) < 6 * overtone


def test_midi_names_program_notes_and_times() -> None:
    piece = Piece(2.0, [Part(40, 0, [Note(0.5, 1.0, 60, 90)]), Part(DRUMS, 8, [Note(0.0, 0.2, 36, 100)])])
    data = midi_of(piece)
    kind, size, form, tracks, ticks = struct.unpack_from(">4sIHHH", data)
    assert (kind, size, form, tracks, ticks) == (b"MThd", 6, 0, 1, 480)
    assert struct.unpack_from(">4sI", data, 14) == (b"MTrk", len(data) - 22)
    assert data[22:] == bytes.fromhex(
        "00 c0 28 00 c9 08 00 99 24 64 81 40 89 24 00 82 20 90 3c 5a 87 40 80 3c 00 00 ff 2f 00"
    )


def test_a_soundfont_without_its_program_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfont = tmp_path / "a.sf2"
    soundfont.write_bytes(b"RIFF")
    monkeypatch.setattr(making, "PROGRAM", "no-such-program")
    arguments = ["train", "make-music", str(tmp_path / "music"), "--soundfont", str(soundfont)]
    assert main(arguments) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "--soundfont needs the program no-such-program" in error and error.count("\n") == 1
    assert not (tmp_path / "music").exists()


def test_another_program_plays_the_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for fluidsynth, which writes a tone and complains if the score is none."""
    program = tmp_path / "player"
    program.write_text(
        "#!/bin/sh\n"
        'while [ $# -gt 2 ]; do [ "$1" = -F ] && out=$2; shift; done\n'
        'head -c 4 "$2" | grep -q MThd || { echo "no score" >&2; exit 1; }\n'
        f'cp "{tmp_path}/tone.wav" "$out"\n'
    )
    program.chmod(0o755)
    tone = 0.1 * np.sin(np.arange(2 * 44100) / 20)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone / 2], 1), 44100)
    (tmp_path / "a.sf2").write_bytes(b"RIFF")
    monkeypatch.setattr(making, "PROGRAM", str(program))
    order = making.Order(1, 1.0, 1, tmp_path / "a.sf2", "MIT")
    piece, manifest = making.make_music(order, tmp_path / "music", force=False)
    audio, _ = soundfile.read(piece)
    assert audio.shape == (44100, 2) and np.abs(audio).max() == pytest.approx(0.8, abs=0.01)
    assert "MIT,train" in manifest.read_text()


def test_the_band_is_the_whole_of_general_midi() -> None:
    assert len({*Band().basses, *Band().leads}) == 112
