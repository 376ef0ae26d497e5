"""`melcodec compress`: recordings to .mlc files."""

from __future__ import annotations

from typing import Any

import click

from melcodec_cli.commands.options import (
    BitRate,
    complete_bundle_or_file,
    complete_profile,
    engine_options,
    input_options,
    model_options,
    options,
    output_options,
    report_options,
)


class Channels(click.ParamType):
    """What to do with several channels, or how many raw samples have."""

    name = "channels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value in ("mix", "keep") or isinstance(value, int):
            return value
        if not value.isdecimal():
            self.fail(f"{value!r} is neither mix nor keep nor, with --raw, a number", param, ctx)
        return int(value)


raw_options = options(
    click.option("--raw", is_flag=True, help="The input is PCM without a header."),
    click.option("--rate", "--raw-rate", "raw_rate", type=int, metavar="HZ",
                 help="Its sampling rate; needed with --raw."),
    click.option("--raw-channels", type=int, default=1, show_default=True, metavar="N",
                 help="Its number of channels; --channels N says the same."),
    click.option("--format", "--raw-format", "raw_format", default="s16le", show_default=True, metavar="NAME",
                 help="Its sample format."),
)  # fmt: skip


@click.command(short_help="Compress recordings to .mlc files.")
@click.argument("files", metavar="FILE...", nargs=-1)
@input_options
@output_options
@click.option(
    "--channels",
    type=Channels(),
    default="mix",
    show_default=True,
    metavar="mix|keep",
    help="Code a mix of all channels, or each by itself.",
)
@click.option(
    "--profile",
    metavar="NAME|auto",
    shell_complete=complete_profile,
    help="The installed model to use; auto: by each recording's rate.  [default: speech-16k]",
)
@click.option(
    "--bundle", metavar="FILE", shell_complete=complete_bundle_or_file, help="Use the model in this file."
)
@click.option(
    "--chunk-seconds",
    type=float,
    metavar="S",
    help="Length of a chunk, 0.5 to 60; short ones leave a live pipe sooner and cost more bytes.  "
    "[default: the model's, 20 in speech-16k]",
)
@click.option(
    "--bitrate",
    "bits_per_s",
    type=BitRate(),
    metavar="N[k]",
    help="Bits per second, such as 6k; one of those that the model offers.  [default: its highest]",
)
@click.option(
    "--effort",
    type=click.IntRange(min=1),
    metavar="N",
    help="How hard to search for the indices that sound best: 1 is fastest, 8 sounds best.  "
    "[default: the model's, 3 in speech-16k]",
)
@click.option(
    "--entropy/--no-entropy",
    default=None,
    help="Code the indices with the model's tables, which saves bytes and no sound.  "
    "[default: if the model has tables]",
)
@click.option("--no-tags", is_flag=True, help="Do not copy title, artist and other tags.")
@click.option(
    "--live", is_flag=True, help="Send each frame as soon as it is complete; needs a model that can do so."
)
@click.option(
    "--packet-frames",
    type=click.IntRange(1, 255),
    metavar="N",
    help="With --live: frames sent at once; 2 cost fewer bytes and come a frame later.  [default: 1]",
)
@raw_options
@model_options
@engine_options
@report_options
def compress(
    files: tuple[str, ...],
    files_from: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    output: str | None,
    recursive: bool,
    force: bool,
    skip_existing: bool,
    channels: int | str,
    profile: str | None,
    bundle: str | None,
    chunk_seconds: float | None,
    bits_per_s: float | None,
    effort: int | None,
    entropy: bool | None,
    no_tags: bool,
    live: bool,
    packet_frames: int | None,
    raw: bool,
    raw_rate: int | None,
    raw_channels: int,
    raw_format: str,
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
    """Compress each FILE ("-" for standard input) to an .mlc file.

    Without -o, .mlc is appended to the name of a file, and a pipe goes to standard output. If there are exactly two
    names, the second is the output if it ends in .mlc, is "-", or is a pipe or device.

    \b
    Examples:
      melcodec compress talk.wav                   writes talk.wav.mlc
      melcodec compress talk.wav talk.mlc
      melcodec compress -o coded/ *.flac
      melcodec compress -r recordings/ -o coded/   mirrors the tree
      melcodec compress --profile auto *.wav       a 48 kHz model, if installed, from 32 kHz up
      find . -name '*.wav' -print0 | melcodec compress --files-from - -o coded/
      arecord -f S16_LE -r 16000 | melcodec compress - - | ssh far 'melcodec decompress - -' | aplay
      arecord -f S16_LE -r 24000 | melcodec compress --live --profile speech-24k-live --bitrate 1k - - > talk.mlc
      melcodec compress --raw --rate 8000 --channels 2 --format s16be call.pcm
    """
    from melcodec_cli.audio import RawFormat
    from melcodec_cli.audio.suffixes import AUDIO_SUFFIXES
    from melcodec_cli.codec.compression import CompressSettings
    from melcodec_cli.convert.existing import is_damaged_mlc, is_sound_mlc
    from melcodec_cli.convert.request import CompressRequest
    from melcodec_cli.convert.run import Overwriting, engine_named, run
    from melcodec_cli.errors import UsageProblem
    from melcodec_cli.files.inputs import Selection, listed_names
    from melcodec_cli.files.targets import compressed_name, is_mlc, pair_up, split_output
    from melcodec_cli.models.choose import ModelChoice, Models
    from melcodec_cli.report.report import Report

    if raw and raw_rate is None:
        raise UsageProblem("--raw needs --rate: raw samples carry no sampling rate")
    if not raw and (raw_rate is not None or isinstance(channels, int)):
        raise UsageProblem("--rate and a number for --channels need --raw")
    raw_channels = channels if isinstance(channels, int) else raw_channels
    raw_form = RawFormat(raw_rate, raw_channels, raw_format) if raw and raw_rate else None
    if packet_frames is not None and not live:
        raise UsageProblem("--packet-frames needs --live")
    packet_frames = (packet_frames or 1) if live else None
    settings = CompressSettings(
        channels == "keep", chunk_seconds, not no_tags, entropy=entropy, packet_frames=packet_frames
    )
    model_options = {} if effort is None else {"effort": effort}
    names = listed_names(files, files_from)
    inputs, target = (files, output) if files_from else split_output(files, output, is_mlc)
    selection = Selection(AUDIO_SUFFIXES if recursive else None, include, exclude)
    pairs = pair_up(inputs, target, compressed_name, selection, names, dry_run)
    batch = len(pairs) != 1 or files_from is not None
    report = Report(json_lines, quiet, verbose, batch, report_file)
    models = Models(report.notice, report.detail, ModelChoice(device, threads, bundle, profile))
    run(
        pairs,
        lambda pair, force: CompressRequest(
            *pair.files, settings, raw_form, bits_per_s, model_options, force
        ),
        Overwriting(force, skip_existing, is_sound_mlc, is_damaged_mlc),
        report,
        engine_named(engine, report, models, ray_address),
        dry_run,
    )
