"""`melcodec recode`: a lower bit rate out of what is there, without decoding."""

from __future__ import annotations

import click

from melcodec_cli.commands.options import BitRate


@click.command(short_help="Cut .mlc files to a lower bit rate, without decoding.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option(
    "--bitrate",
    "bits_per_s",
    type=BitRate(),
    required=True,
    metavar="N[k]",
    help="Bits per second, such as 1k; one of those that the file's model offers, and no more than the file has.",
)
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it exists (never IN).")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def recode(source: str, target: str, bits_per_s: float, force: bool, quiet: bool) -> None:
    """Write the .mlc file IN to OUT with fewer indices a frame ("-" for standard input or output).

    The result is the file that "compress --effort 1" makes at that rate; with more effort, compressing at that rate
    sounds better, as indices are then chosen for it. This needs neither the model nor torch, but only works for models
    whose indices refine one another; otherwise a message names the bit rates there are.

    \b
    Examples:
      melcodec recode --bitrate 1k talk-6k.mlc talk-1k.mlc
      melcodec recode --bitrate 3k - - < talk-6k.mlc > talk-3k.mlc
    """
    from melcodec_cli.convert.recoding import recode_file
    from melcodec_cli.report.console import say

    before, after = recode_file(source, target, bits_per_s, force)
    if not quiet:
        say(f"{target}: {after} bytes (was {before})")
