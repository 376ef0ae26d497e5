"""`melcodec train sample`: copies the most useful part of a corpus."""

from __future__ import annotations

from pathlib import Path

import click

from melcodec_cli.commands.options import DEFAULT_PRESET, complete_preset
from melcodec_cli.report.console import show_line


@click.command("sample", short_help="Copy the most useful part of a corpus.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data", "folders", multiple=True, required=True, metavar="FOLDER",
              type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of audio; may be given several times.")  # fmt: skip
@click.option("--preset", "preset_name", default=DEFAULT_PRESET, show_default=True, metavar="NAME|FILE",
              shell_complete=complete_preset,
              help="Whose weights of sources decide.")  # fmt: skip
@click.option("--megabytes", metavar="N", type=click.FloatRange(min=0, min_open=True), default=60, show_default=True,
              help="How much to copy at most; a twentieth of it is for measuring.")  # fmt: skip
def copy_sample(folder: Path, folders: tuple[Path, ...], preset_name: str, megabytes: float) -> None:
    """Copy the clips that the preset would draw most often into FOLDER, with a manifest, to train elsewhere.

    \b
    Examples:
      melcodec train sample packed/ --data speech/ --data more/ --megabytes 60
    """
    from melcodec_cli.train.presets import read_preset
    from melcodec_cli.train.sampling import sample

    counts = sample(list(folders), read_preset(preset_name).corpus, int(megabytes * 1e6), folder)
    show_line(f"{folder}: {counts['train']} clips to train on, {counts.get('dev', 0)} to measure by")
