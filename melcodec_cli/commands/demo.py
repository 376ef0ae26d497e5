"""`melcodec demo`: a recording of speech there and back, to listen to and to look at."""

from __future__ import annotations

from pathlib import Path

import click

from melcodec_cli.commands.options import complete_bundle_or_file, model_options


@click.command(short_help="Code a bundled recording and draw what comes back.")
@click.argument(
    "folder", metavar="[FOLDER]", default="demo", type=click.Path(file_okay=False, path_type=Path)
)
@click.option("-f", "--force", is_flag=True, help="Replace what an earlier demo wrote there.")
@click.option(
    "--bundle",
    metavar="FILE|NAME",
    shell_complete=complete_bundle_or_file,
    help="The model to use.  [default: speech-16k]",
)
@model_options
def demo(folder: Path, force: bool, bundle: str | None, device: str, threads: int | None) -> None:
    """Compress and decompress ten seconds of speech, into FOLDER (default: demo).

    Writes the original, the .mlc file, the decoded recording and a picture with the spectrograms of both.

    \b
    Examples:
      melcodec demo
      melcodec demo --force /tmp/listen
    """
    import numpy as np

    from melcodec_cli.audio import open_source
    from melcodec_cli.convert.engine import LocalEngine
    from melcodec_cli.convert.request import CompressRequest, DecompressRequest
    from melcodec_cli.convert.run import convert_all
    from melcodec_cli.evaluate.clip import CLIP
    from melcodec_cli.evaluate.picture import write_spectrograms
    from melcodec_cli.files.atomic import check_output, output_file
    from melcodec_cli.models.choose import ModelChoice, Models
    from melcodec_cli.report.console import show_line
    from melcodec_cli.report.report import Report

    original, coded, decoded, picture = (
        str(folder / name)
        for name in ("original.flac", "original.flac.mlc", "decoded.wav", "spectrograms.png")
    )
    folder.mkdir(parents=True, exist_ok=True)
    for path in (original, coded, decoded, picture):
        check_output(path, force)
    report = Report()
    models = Models(report.notice, report.detail, ModelChoice(device, threads, bundle))
    with output_file(original, force) as file:
        file.write(CLIP.read_bytes())
    engine = LocalEngine(models, report.notice)
    for request in (
        CompressRequest(original, coded, force=force),
        DecompressRequest(coded, decoded, force=force),
    ):
        convert_all([request], 1, report, engine)
    with open_source(original) as before, open_source(decoded) as after, output_file(picture, force) as file:
        panels = {
            f"{title} ({size} bytes)": np.concatenate(list(source.blocks(source.rate_hz)))[:, 0]
            for title, size, source in (
                ("original", Path(original).stat().st_size, before),
                ("decoded", Path(coded).stat().st_size, after),
            )
        }
        write_spectrograms(file, panels, before.rate_hz)
    report.finish()
    show_line(f"listen to {original} and {decoded}, look at {picture}")
