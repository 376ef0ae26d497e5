"""`melcodec decompress`: .mlc files to recordings."""

from __future__ import annotations

from typing import Any

import click

from melcodec_cli.commands.options import (
    Seconds,
    complete_bundle_or_file,
    engine_options,
    input_options,
    model_options,
    options,
    output_options,
    report_options,
)


class Rate(click.ParamType):
    """A rate in Hz, or "model" for that of the model; None is the original's."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == "model" or isinstance(value, int):
            return value
        if not value.isdecimal() or not 4_000 <= int(value) <= 384_000:
            self.fail(f"{value!r} is neither a rate from 4000 to 384000 Hz nor 'model'", param, ctx)
        return int(value)


class Form(click.Choice[str]):
    """The name of a format or, for --raw, of a sample format."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from melcodec_cli.audio.raw import encoding_named
        from melcodec_cli.errors import UsageProblem

        try:
            encoding_named(value)
        except UsageProblem:
            return super().convert(value, param, ctx)
        return str(value)


format_options = options(
    click.option(
        "--format",
        "form",
        type=Form(["wav", "flac", "ogg", "opus", "mp3", "raw"]),
        help="Format of the output; with --raw its sample format.  [default: as its suffix says, else wav]",
    ),
    click.option("--subtype", metavar="NAME", help="Sample format, such as PCM_24, FLOAT or s16be."),
    click.option("--raw", is_flag=True, help="Write PCM without a header, as --format raw does."),
    click.option(
        "--rate",
        type=Rate(),
        metavar="HZ|model",
        help="Sampling rate; 'model' saves resampling.  [default: that of the original]",
    ),
    click.option(
        "--channels",
        type=click.IntRange(1, 8),
        metavar="N",
        help="Channels of the output.  [default: those of the original]",
    ),
    click.option("--no-tags", is_flag=True, help="Do not copy title, artist and other tags."),
)


@click.command(short_help="Decompress .mlc files to recordings.")
@click.argument("files", metavar="FILE...", nargs=-1)
@input_options
@output_options
@format_options
@click.option("--start", type=Seconds(), metavar="T", default=0.0, help="Start here: seconds or m:ss.")
@click.option("--end", type=Seconds(), metavar="T", help="Stop here.")
@click.option("--live", is_flag=True, help="Play a live stream: each frame as soon as it is there.")
@click.option("--conceal", is_flag=True, help="Put silence in place of what is damaged.")
@click.option("--steps", type=click.IntRange(min=0), metavar="N", help="Steps of the refiner; 0 skips it.")
@click.option(
    "--bundle",
    metavar="FILE|NAME",
    shell_complete=complete_bundle_or_file,
    help="The model to use.  [default: the one the file names]",
)
@model_options
@engine_options
@report_options
def decompress(
    files: tuple[str, ...],
    files_from: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    output: str | None,
    recursive: bool,
    force: bool,
    skip_existing: bool,
    form: str | None,
    subtype: str | None,
    raw: bool,
    rate: int | str | None,
    channels: int | None,
    no_tags: bool,
    start: float,
    end: float | None,
    live: bool,
    conceal: bool,
    steps: int | None,
    bundle: str | None,
    device: str,
    threads: int | None,
    engine: str,
    ray_address: str | None,
    dry_run: bool,
    report_file: str | None,
    json_lines: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Decompress each FILE ("-" for standard input) to a recording with the original's rate, channels and length.

    Without -o, .mlc is removed from the name of a file, and .wav is appended if what is left names no format that can
    be written: talk.flac.mlc becomes talk.flac, and talk.aiff.mlc becomes talk.aiff.wav. A pipe goes to standard
    output. If there are exactly two names, the second is the output unless it ends in .mlc.

    \b
    Examples:
      melcodec decompress talk.wav.mlc               writes talk.wav
      melcodec decompress talk.mlc talk.flac
      melcodec decompress --start 3:20 --end 4:00 talk.mlc part.wav
      melcodec decompress --raw --rate 16000 --channels 1 --format s16le talk.mlc - | aplay -r 16000 -f S16_LE
      ssh far cat talk.mlc | melcodec decompress --live --raw - - | aplay -f S16_LE -r 24000
      melcodec decompress --conceal damaged.mlc
      melcodec decompress -r coded/ -o decoded/      mirrors the tree
      melcodec decompress -r coded/ -o decoded/ --exclude 'draft*' --report run.jsonl
    """
    from functools import partial

    from melcodec_cli.audio import FORMATS
    from melcodec_cli.codec.decompression import DecompressSettings
    from melcodec_cli.convert.existing import is_same_length
    from melcodec_cli.convert.request import DecompressRequest
    from melcodec_cli.convert.run import Overwriting, engine_named, run
    from melcodec_cli.errors import UsageProblem
    from melcodec_cli.files.inputs import Selection, listed_names
    from melcodec_cli.files.targets import MLC_SUFFIX, decompressed_name, is_mlc, pair_up, split_output
    from melcodec_cli.models.choose import ModelChoice, Models
    from melcodec_cli.report.report import Report

    if form is not None and form not in FORMATS:
        if not raw or subtype:
            raise UsageProblem(f"--format {form} is a sample format: use it with --raw and without --subtype")
        form, subtype = "raw", form
    if raw and form not in (None, "raw"):
        raise UsageProblem(f"--raw and --format {form} cannot be combined")
    form = "raw" if raw else form
    settings = DecompressSettings(
        rate if isinstance(rate, int) else None, rate == "model", start, end, conceal, channels, live
    )
    names = listed_names(files, files_from)
    inputs, target = (
        (files, output) if files_from else split_output(files, output, lambda name: not is_mlc(name))
    )
    suffixes = FORMATS[form].suffixes if form else sum((known.suffixes for known in FORMATS.values()), ())
    derive = partial(decompressed_name, suffixes=suffixes, default=f".{form or 'wav'}")
    selection = Selection(frozenset((MLC_SUFFIX,)) if recursive else None, include, exclude)
    pairs = pair_up(inputs, target, derive, selection, names, dry_run)
    batch = len(pairs) != 1 or files_from is not None
    report = Report(json_lines, quiet, verbose, batch, report_file)
    models = Models(report.notice, report.detail, ModelChoice(device, threads, bundle))
    model_options = {} if steps is None else {"steps": steps}
    run(
        pairs,
        lambda pair, force: DecompressRequest(
            *pair.files, settings, form, subtype, not no_tags, model_options, force
        ),
        Overwriting(
            force,
            skip_existing,
            partial(is_same_length, settings=settings),
            lambda pair: False,
            "" if target else "and may be the original recording",
        ),
        report,
        engine_named(engine, report, models, ray_address),
        dry_run,
    )
