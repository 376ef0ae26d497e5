"""`melcodec models`: the bundles that are installed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melcodec_cli.commands.options import complete_bundle

if TYPE_CHECKING:
    from melcodec_cli.models.installed import BundleInfo

# Key of the JSON -> the stage whose training measured it on the dev clips, its name there, and how it is told.
DEV_FIGURES = {
    "coded_mel_l1": ("coder", "dev_l1", "mel L1 {:.3f} coded"),
    "decoded_mel_l1": ("vocoder", "coded_mel_l1", "mel L1 {:.3f} decoded"),
    "voicing_error": ("pitch", "coded_voicing_error", "voicing error {:.1%}"),
}


@click.group(short_help="List, add and remove models.", invoke_without_command=True)
@click.pass_context
def models(ctx: click.Context) -> None:
    """List, add and remove installed models; without a command, list them.

    A file says which model it needs, and decompress finds it among these.

    \b
    Examples:
      melcodec models
      melcodec models add speech-48k.safetensors
      melcodec compress --profile speech-48k talk.wav
    """
    if ctx.invoked_subcommand is None:
        _list(json_lines=False)


@models.command("list", short_help="List the installed models.")
@click.option("--json", "json_lines", is_flag=True, help="One JSON object a model on standard output.")
def list_models(json_lines: bool) -> None:
    """List the installed models: profile, rates, licence, size, ids, figures on the dev clips, file.

    Mel L1 is the mean distance of log-mel spectra, first of what the indices keep, then of what is heard.

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

    It may come from a stranger: it is no program and runs none. Files made by a model that is replaced need its file.

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
    """Remove the model NAME, which was added; the one that comes with melcodec stays.

    \b
    Examples:
      melcodec models remove speech-48k
    """
    from melcodec_cli.models.installing import remove_bundle
    from melcodec_cli.report.inspected import say

    for bundle in remove_bundle(name):
        say(f"removed {bundle.name}, ids {bundle.bitstream_id}/{bundle.renderer_id}: {bundle.path}")


@models.command(short_help="Print where a model lies.")
@click.argument("name", required=False, shell_complete=complete_bundle)
def path(name: str | None) -> None:
    """Print the path of the model NAME, or of the folder that models are added to.

    \b
    Examples:
      melcodec models path speech-16k
      cp "$(melcodec models path speech-48k)" /mnt/
    """
    from melcodec_cli.models.installed import bundle_named, user_folder

    # As bytes, so that a name in no encoding arrives as it is.
    click.echo(os.fsencode(bundle_named(name).path if name else user_folder()) + b"\n", nl=False)


def _list(json_lines: bool) -> None:
    from melcodec_cli.models.installed import installed_bundles
    from melcodec_cli.report.printable import printable

    for bundle in installed_bundles():
        if json_lines:
            click.echo(json.dumps(_record(bundle)))
            continue
        click.echo(printable(bundle.name))
        for label, value in _facts(_record(bundle)):
            click.echo(f"  {label:<14}{printable(value)}")


def _record(bundle: BundleInfo) -> dict[str, Any]:
    """The keys stay as they are."""
    from melcodec_cli.systems.fmel.config import Profile, ProfileError

    try:
        profile = Profile.from_dict(bundle.profile)
    except ProfileError:  # of another release
        profile = None
    return {
        "name": bundle.name,
        "profile": bundle.profile_name,
        "rate_hz": profile.mel.rate_hz if profile else None,
        "bits_per_s": profile.tokens_per_second * profile.coder.index_bits if profile else None,
        "licence": bundle.licence,
        "size_bytes": bundle.size_bytes,
        "bitstream_id": bundle.bitstream_id,
        "renderer_id": bundle.renderer_id,
        "dev": _dev_figures(bundle.training),
        "path": str(bundle.path),
        "built_in": bundle.comes_with_melcodec,
    }


def _dev_figures(training: dict[str, Any]) -> dict[str, float]:
    """Those that the bundle's training noted; what stands there may be anything."""
    stages = training.get("stages")
    found = {}
    for key, (stage, name, _) in DEV_FIGURES.items():
        figures = stages.get(stage) if isinstance(stages, dict) else None
        value = figures.get(name) if isinstance(figures, dict) else None
        if isinstance(value, int | float) and 0 <= value < 1e6:
            found[key] = value
    return found


def _facts(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(label, value), line by line."""
    yield "profile", record["profile"]
    if record["rate_hz"] is None:
        yield "rate", "unknown to this release, which cannot run it"
    else:
        yield "rate", f"{record['rate_hz']} Hz, {record['bits_per_s']:g} bit/s"
    yield "licence", record["licence"]
    yield "size", f"{record['size_bytes'] / 1e6:.1f} MB"
    yield "ids", f"bitstream {record['bitstream_id']}, renderer {record['renderer_id']}"
    if record["dev"]:
        yield (
            "dev figures",
            ", ".join(DEV_FIGURES[key][2].format(value) for key, value in record["dev"].items()),
        )
    yield "file", f"{record['path']}{' (comes with melcodec)' if record['built_in'] else ''}"
