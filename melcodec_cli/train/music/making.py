"""Writes composed pieces as FLAC files, with a manifest by which they can be trained on."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.errors import OutputExists, UsageProblem
from melcodec_cli.files.atomic import output_file
from melcodec_cli.train.folders import UNKNOWN_LICENCE
from melcodec_cli.train.music.midi import midi_of
from melcodec_cli.train.music.piece import Piece, bands, composed
from melcodec_cli.train.music.synthesiser import PEAK, RATE_HZ, synthesised

SOURCE = "made_music"
DEV_EVERY = 10  # every tenth piece is for measuring, and has instruments of its own
PROGRAM = "fluidsynth"
OWN_LICENCE = "CC0-1.0"  # of what the built-in synthesiser plays
Play = Callable[[Piece], NDArray[np.float32]]  # a piece to (sample,) or (sample, channel) at RATE_HZ


@dataclass(frozen=True)
class Order:
    pieces: int
    seconds: float  # of each
    seed: int
    soundfont: Path | None = None  # None: the built-in synthesiser
    licence: str | None = None  # of the music; None: OWN_LICENCE, or unknown with a soundfont


def make_music(order: Order, folder: Path, force: bool) -> Iterator[Path]:
    """Write the pieces and then the manifest, giving the path of each."""
    import soundfile

    manifest = folder / "manifest.csv"
    if manifest.exists() and not force:
        raise OutputExists("already exists (use --force to replace it)", manifest)
    play = synthesised if order.soundfont is None else _player(order.soundfont)
    licence = order.licence or (OWN_LICENCE if order.soundfont is None else UNKNOWN_LICENCE)
    folder.mkdir(parents=True, exist_ok=True)
    train, dev = bands()
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "source", "speaker", "seconds", "licence", "split"])
    for number in range(order.pieces):
        measured = number % DEV_EVERY == DEV_EVERY - 1
        piece = composed([order.seed, number], order.seconds, dev if measured else train)
        name = f"{order.seed}-{number:04}"
        with output_file(folder / f"{name}.flac", force=True) as file:
            soundfile.write(file, play(piece), RATE_HZ, format="FLAC", subtype="PCM_16")
        rows.writerow(
            [f"{name}.flac", SOURCE, name, f"{order.seconds:g}", licence, "dev" if measured else "train"]
        )
        yield folder / f"{name}.flac"
    with output_file(manifest, force=True) as file:
        file.write(table.getvalue().encode())
    yield manifest


def _player(soundfont: Path) -> Play:
    """Plays pieces with fluidsynth."""
    if shutil.which(PROGRAM) is None:
        raise UsageProblem(
            f"--soundfont needs the program {PROGRAM}: install it, or leave the option out for simpler sounds"
        )

    def play(piece: Piece) -> NDArray[np.float32]:
        import soundfile

        with tempfile.TemporaryDirectory() as place:
            score, wav = Path(place, "piece.mid"), Path(place, "piece.wav")
            score.write_bytes(midi_of(piece))
            words = [
                PROGRAM,
                "-ni",
                "-q",
                "-g",
                "0.5",
                "-r",
                str(RATE_HZ),
                "-F",
                str(wav),
                str(soundfont),
                str(score),
            ]
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode or not wav.exists():
                said = (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]
                raise UsageProblem(f"{PROGRAM} cannot play it: {said}", soundfont)
            audio: NDArray[np.float32] = soundfile.read(wav, dtype="float32", always_2d=True)[0]
        audio = audio[: round(piece.seconds * RATE_HZ)]
        loudest = float(np.abs(audio).max(initial=0.0))
        if loudest == 0:
            raise UsageProblem("is silent: it has none of the instruments of General MIDI", soundfont)
        return audio * np.float32(PEAK / loudest)

    return play
