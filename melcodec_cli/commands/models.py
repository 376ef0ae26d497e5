"""`melcodec models`: lists, adds and removes installed bundles."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melcodec_cli.commands.options import complete_bundle

if TYPE_CHECKING:
    from melcodec_cli.models.installed import BundleInfo

LINE_WIDTH = (
    400  # of the table in columns, so that pipes get whole lines; a narrow terminal wraps them itself
)


@click.group(short_help="List, add and remove models.", invoke_without_command=True)
@click.pass_context
def models(ctx: click.Context) -> None:
    """List, add and remove installed models; without a command, list them.

    A file names the model it needs, and decompress finds it among these.

    \b
    Examples:
      melcodec models
      melcodec models add speech-48k.safetensors
      melcodec compress --profile speech-48k talk.wav
    """
    if ctx.invoked_subcommand is None:
        _list(json_lines=False)


@models.command("list", short_help="List the installed models.")
@click.option("--json", "json_lines", is_flag=True, help="Print one JSON object per model.")
def list_models(json_lines: bool) -> None:
    """List the installed models, one per line: name, system, rate, bit rates, latency, purpose, licence, size, ids.

    The latency is that of a live pipe with chunks of the model's own length; --chunk-seconds shortens it.

    \b
    Examples:
      melcodec models list
      melcodec models list --json | jq -r .licence
    """
    _list(json_lines)


@models.command(short_help="Install the file of a model.")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-f", "--force", is_flag=True, help="Replace a model of the same name or ids.")
def add(path: Path, force: bool) -> None:
    """Check the bundle FILE as "melcodec bundle check" does, and copy it to the user's models.

    It may come from a stranger: a bundle contains no code. Files that were made with a model that --force replaces need
    that model's file again.

    \b
    Examples:
      melcodec models add speech-48k.safetensors
      melcodec models add --force newer/speech-48k.safetensors
    """
    from melcodec_cli.models.installing import add_bundle
    from melcodec_cli.report.inspected import say

    bundle, replaced = add_bundle(path, force)
    for old in replaced:
        say(f"replaced {old.name}, ids {old.bitstream_id}/{old.renderer_id}")
    say(
        f"added {bundle.name}, ids {bundle.bitstream_id}/{bundle.renderer_id}, {bundle.licence}: {bundle.path}"
    )


@models.command(short_help="Remove an installed model.")
@click.argument("name", shell_complete=complete_bundle)
def remove(name: str) -> None:
    """Remove the model NAME, if it was added; the one that comes with melcodec stays.

    \b
    Examples:
      melcodec models remove speech-48k
    """
    from melcodec_cli.models.installing import remove_bundle
    from melcodec_cli.report.inspected import say

    for bundle in remove_bundle(name):
        say(f"removed {bundle.name}, ids {bundle.bitstream_id}/{bundle.renderer_id}: {bundle.path}")


@models.command(short_help="Print the path of a model's file.")
@click.argument("name", required=False, shell_complete=complete_bundle)
def path(name: str | None) -> None:
    """Print the path of the model NAME, or of the folder that models are added to.

    \b
    Examples:
      melcodec models path speech-16k
      cp "$(melcodec models path speech-48k)" /mnt/
    """
    from melcodec_cli.models.installed import bundle_named, user_folder
    from melcodec_cli.report.console import show_exact_path

    show_exact_path(bundle_named(name).path if name else user_folder())


def _list(json_lines: bool) -> None:
    from melcodec_cli.models.installed import installed_bundles
    from melcodec_cli.report.console import show_json

    bundles = list(installed_bundles())
    if json_lines:
        for bundle in bundles:
            show_json(_record(bundle))
    elif bundles:
        _print_table([_record(bundle) for bundle in bundles])


def _record(bundle: BundleInfo) -> dict[str, Any]:
    """The model as JSON; the keys must not change. Anything that this release does not know is null."""
    shape = bundle.shape
    return {
        "name": bundle.name,
        "profile": bundle.profile_name,
        "system": bundle.system,
        "rate_hz": shape.rate_hz if shape else None,
        "bits_per_s": sorted(shape.bits_per_s.values()) if shape else None,
        "latency_s": shape.latency(shape.chunk_frames).compress_s if shape else None,
        "live_delay_s": bundle.live.delay_s if bundle.live else None,
        "suits": list(bundle.suits),
        "licence": bundle.licence,
        "size_bytes": bundle.size_bytes,
        "bitstream_id": bundle.bitstream_id,
        "renderer_id": bundle.renderer_id,
        "path": str(bundle.path),
        "built_in": bundle.comes_with_melcodec,
    }


def _print_table(records: list[dict[str, Any]]) -> None:
    """Print one line per model, however narrow the terminal."""
    from melcodec_cli.report.console import show_table
    from melcodec_cli.systems.system import bit_rate_text

    titles = ("name", "system", "rate", "bit/s", "latency", "for", "licence", "size", "ids")
    rows = []
    for record in records:
        cells = [record["name"], record["system"]]
        if record["rate_hz"] is None:
            cells += ["unknown: this release cannot run it", "", "", ""]
        else:
            cells += [
                f"{record['rate_hz'] / 1000:g} kHz",
                ", ".join(map(bit_rate_text, record["bits_per_s"])),
                _latency(record),
                ", ".join(record["suits"]),
            ]
        ids = f"{record['bitstream_id']}/{record['renderer_id']}"
        rows.append([*cells, record["licence"], f"{record['size_bytes'] / 1e6:.1f} MB", ids])
    show_table(
        titles, [rows], sys.stdout, words=("system", "bit/s", "for", "licence", "ids"), width=LINE_WIDTH
    )


def _latency(record: dict[str, Any]) -> str:
    """The latency of a pipe of whole chunks and, if the model can go live, that of a live stream."""
    live = record["live_delay_s"]
    return f"{record['latency_s']:.2g} s" + (f", live {1000 * live:.0f} ms" if live is not None else "")
