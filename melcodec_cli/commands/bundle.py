"""`melcodec bundle`: pack, unpack, extend, show and check model bundles."""

from __future__ import annotations

from pathlib import Path

import click

from melcodec_cli.commands.options import change_option, complete_preset, licence_option
from melcodec_cli.report.console import show_fact, show_json, show_line

BUNDLE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(short_help="Pack, unpack, extend, show and check model bundles.")
def bundle() -> None:
    """Pack, unpack, extend, show and check model bundles.

    A bundle is one safetensors file with profile, weights, ids and licence.

    \b
    Examples:
      melcodec bundle pack runs/mine mine.safetensors --preset speech-16k
      melcodec bundle unpack mine.safetensors runs/next --stage coder --stage pitch
      melcodec bundle tables mine.safetensors --data speech/ -o smaller.safetensors
      melcodec bundle show mine.safetensors
      melcodec bundle check mine.safetensors
      melcodec bundle bound mine.safetensors
    """


@bundle.command(short_help="Pack the stages of a training run.")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("target", metavar="BUNDLE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--preset", "preset_name", default="speech-16k", show_default=True, metavar="NAME|FILE",
              shell_complete=complete_preset,
              help="The preset that the run was trained with.")  # fmt: skip
@change_option
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
    changes: tuple[str, ...],
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
    preset = read_preset(preset_name, changes)
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


@bundle.command(short_help="Add tables for entropy coding.")
@click.argument("path", metavar="BUNDLE", type=BUNDLE)
@click.option("--data", "folders", multiple=True, required=True, metavar="FOLDER",
              type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Audio like that to be compressed; may be given several times.")  # fmt: skip
@click.option("-o", "--output", "target", required=True, metavar="FILE",
              type=click.Path(path_type=Path, dir_okay=False), help="The bundle to write.")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=10, show_default=True, metavar="N",
              help="How long to code the audio.")  # fmt: skip
@click.option("--least-percent", type=float, default=10, show_default=True, metavar="N",
              help="Write nothing if the tables save less than this.")  # fmt: skip
@click.option(
    "--cache",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where its decoded audio is kept.  [default: cache, beside FILE]",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def tables(
    path: Path,
    folders: tuple[Path, ...],
    target: Path,
    minutes: float,
    least_percent: float,
    cache: Path | None,
    force: bool,
) -> None:
    """Make tables for entropy coding from what BUNDLE makes of audio, and write it with them to FILE.

    They are made from the training split, and what they save is measured on the dev split. Nothing else in the bundle
    changes: it has the same ids, and decodes files with and without entropy coding.

    \b
    Examples:
      melcodec bundle tables mine.safetensors --data speech/ -o smaller.safetensors
    """
    from melcodec_cli.errors import OutputExists, UsageProblem
    from melcodec_cli.models.bundle import load_bundle
    from melcodec_cli.models.installed import read_bundle_info
    from melcodec_cli.models.tables import write_with_tables
    from melcodec_cli.train.corpus import open_corpus
    from melcodec_cli.train.entropy import make_and_measure
    from melcodec_cli.train.indices import coded_clips

    if target.exists() and not force:
        raise OutputExists("already exists (use --force to replace it)", target)
    info = read_bundle_info(path)
    model = load_bundle(info)
    shape = model.system.shape
    corpus = open_corpus(list(folders), cache or target.parent / "cache", shape.rate_hz)
    train = coded_clips(model, corpus, "train", 60 * minutes * 0.9, quickly=True)
    dev = coded_clips(model, corpus, "dev", 60 * minutes * 0.1)
    if not train or not dev:
        raise UsageProblem(
            "needs clips to train on and others to measure: at least two speakers, or a manifest"
        )
    made, saving = make_and_measure(train, dev, shape.codewords, shape.layout(shape.chunk_frames))
    show_line(str(saving))
    if saving.percent < least_percent:
        raise UsageProblem(f"no bundle was written, as the tables save less than {least_percent:g} %", path)
    write_with_tables(info, made, target, force)


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
        "options": [vars(option) for option in info.options],
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


@bundle.command(short_help="Bound how much a model's sound can change.")
@click.argument("path", metavar="BUNDLE", type=BUNDLE)
def bound(path: Path) -> None:
    """Print a Lipschitz bound of BUNDLE's vocoder: by what factor two sounds can be farther apart than what it heard.

    It is the product of those of its steps, which rest on the spectral norms of their weights. All are powers of ten.

    \b
    Examples:
      melcodec bundle bound mine.safetensors
    """
    from melcodec_cli.errors import UsageProblem
    from melcodec_cli.models.bundle import load_bundle
    from melcodec_cli.models.installed import read_bundle_info
    from melcodec_cli.systems.system import Bounded

    info = read_bundle_info(path)
    system = load_bundle(info, "cpu").system
    if not isinstance(system, Bounded):
        raise UsageProblem(f"no bound is known for models of the system {info.system}", path)
    bounds = system.bounds()
    for step, power in bounds.items():
        show_fact(step, f"10^{power:.1f}")
    show_fact("bound", f"10^{sum(bounds.values()):.1f}")
