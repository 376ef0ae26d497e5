"""`melcodec train make-music`: composes music to train on."""

from __future__ import annotations

from pathlib import Path

import click

from melcodec_cli.report.console import show_line


@click.command("make-music", short_help="Compose music to train on.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--pieces",
    metavar="N",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many pieces; every tenth is for measuring, with instruments of its own.",
)
@click.option(
    "--seconds",
    metavar="N",
    type=click.FloatRange(min=1, max=3600),
    default=30,
    show_default=True,
    help="Length of each piece.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same pieces, another one others.",
)
@click.option(
    "--soundfont",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Play the pieces on these instruments (General MIDI), with the program fluidsynth.",
)
@click.option(
    "--licence",
    metavar="NAME",
    help="Licence of the music, such as that of the soundfont.  [default: CC0-1.0 without a soundfont]",
)
@click.option("--force", is_flag=True, help="Replace what an earlier call made in FOLDER.")
def make_music(
    folder: Path,
    pieces: int,
    seconds: float,
    seed: int,
    soundfont: Path | None,
    licence: str | None,
    force: bool,
) -> None:  # fmt: skip
    """Compose pieces in many keys, rhythms and instruments, as FLAC files at 44.1 kHz with a manifest.

    Without --soundfont a simple synthesiser plays them.

    \b
    Examples:
      melcodec train make-music music/
      melcodec train make-music music/ --soundfont FluidR3_GM.sf2 --licence MIT
    """
    from melcodec_cli.train.music.making import Order, make_music

    for path in make_music(Order(pieces, seconds, seed, soundfont, licence), folder, force):
        show_line(path)
