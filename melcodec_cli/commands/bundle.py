"""`melcodec bundle`: pack, unpack, show and check model bundles."""

from __future__ import annotations

from pathlib import Path

import click

from melcodec_cli.commands.options import complete_preset, licence_option
from melcodec_cli.report.console import show_json, show_line

BUNDLE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(short_help="Pack, unpack, show and check model bundles.")
def bundle() -> None:
    """Pack, unpack, show and check model bundles: one safetensors file with profile, weights, ids and licence.

    \b
    Examples:
      melcodec bundle pack runs/mine mine.safetensors --preset speech-16k
      melcodec bundle unpack mine.safetensors runs/next --stage coder --stage pitch
      melcodec bundle show mine.safetensors
      melcodec bundle check mine.safetensors
    """


@bundle.command(short_help="Pack the stages of a training run.")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("target", metavar="BUNDLE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--preset", "preset_name", default="speech-16k", show_default=True, metavar="NAME|FILE",
              shell_complete=complete_preset,
              help="The preset that the run was trained with.")  # fmt: skip
@click.option("--data", "folders", multiple=True, metavar="FOLDER",
              type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="What it was trained on, to be named in the bundle.")  # fmt: skip
@click.option(
    "--cache", metavar="DIR", type=click.Path(path_type=Path), help="Where its decoded audio is kept."
)
@click.option("--name", metavar="NAME", help="Name of the bundle.  [default: that of its profile]")
@licence_option
@click.option("--force", is_flag=True, help="Replace BUNDLE if it exists.")
def pack(
    run_folder: Path,
    target: Path,
    preset_name: str,
    folders: tuple[Path, ...],
    cache: Path | None,
    name: str | None,
    licence: str | None,
    force: bool,
) -> None:
    """Pack the stages of a training RUN, in half precision, into BUNDLE.

    \b
    Examples:
      melcodec bundle pack runs/mine mine.safetensors --data speech/
    """
    from melcodec_cli.commands.train import open_data
    from melcodec_cli.errors import OutputExists
    from melcodec_cli.train.packing import pack_run
    from melcodec_cli.train.presets import read_preset

    if target.exists() and not force:
        raise OutputExists("already exists (use --force to replace it)", target)
    preset = read_preset(preset_name)
    corpus = open_data(preset, folders, cache or run_folder / "cache") if folders else None
    pack_run(preset, run_folder, target, corpus, licence, name)


@bundle.command(short_help="Put the stages of a bundle into a run's folder.")
@click.argument("path", metavar="BUNDLE", type=BUNDLE)
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@click.option("--stage", "stages", multiple=True, metavar="NAME",
              help="Only this stage; may be given several times.")  # fmt: skip
def unpack(path: Path, run_folder: Path, stages: tuple[str, ...]) -> None:
    """Put the stages of BUNDLE into the folder of a training RUN, so that others can be trained beside them.

    \b
    Examples:
      melcodec bundle unpack mine.safetensors runs/next --stage coder --stage pitch
      melcodec train vocoder --data speech/ --run runs/next --init mine.safetensors
    """
    from melcodec_cli.train.packing import unpack_bundle

    for folder in unpack_bundle(path, run_folder, list(dict.fromkeys(stages))):
        show_line(folder)


@bundle.command(short_help="Show what a bundle is and how it was trained.")
@click.argument("path", metavar="BUNDLE", type=BUNDLE)
def show(path: Path) -> None:
    """Show profile, shape, ids, licence and training of BUNDLE as JSON, without loading its weights.

    \b
    Examples:
      melcodec bundle show mine.safetensors | jq .training.corpus
    """
    from melcodec_cli.models.installed import read_bundle_info

    info = read_bundle_info(path)
    shown = {
        "path": str(info.path),
        "name": info.name,
        "system": info.system,
        "bitstream_id": info.bitstream_id,
        "renderer_id": info.renderer_id,
        "tables_id": info.tables_id,
        "licence": info.licence,
        "size_bytes": info.size_bytes,
        "suits": list(info.suits),
        "shape": info.shape and info.shape.to_dict(),
        "options": [vars(option) for option in info.facts.options],
        "profile": info.profile,
        "training": info.training,
    }
    show_json(shown, indent=2)


@bundle.command(short_help="Load a bundle and code a second with it.")
@click.argument("path", metavar="BUNDLE", type=BUNDLE)
def check(path: Path) -> None:
    """Load BUNDLE, compare its weights with its ids, and code a second of noise with it.

    \b
    Examples:
      melcodec bundle check mine.safetensors
    """
    from melcodec_cli.models.bundle import parameter_count, try_out
    from melcodec_cli.models.installed import read_bundle_info

    info = read_bundle_info(path)
    count = parameter_count(try_out(info))
    show_line(
        f"{path}: {info.name}, ids {info.bitstream_id}/{info.renderer_id}, {count / 1e6:.1f} M parameters: ok"
    )
