"""`melcodec train`: trains the stages of a model on folders of audio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melcodec_cli.commands.options import DEFAULT_PRESET, change_option, complete_preset, licence_option
from melcodec_cli.commands.train_make_music import make_music
from melcodec_cli.commands.train_sample import copy_sample
from melcodec_cli.report.console import say, show_line

if TYPE_CHECKING:
    import torch

    from melcodec_cli.train.corpus import Corpus
    from melcodec_cli.train.presets import Preset


class StageGroup(click.Group):
    """Treats any name that is not a command as the name of a stage, which the preset's system declares."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or _stage_command(cmd_name)


class StageCommand(click.Command):
    """Says that its stage is unknown before it complains about options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError:
            from melcodec_cli.train.presets import read_preset
            from melcodec_cli.train.stages import stage_named

            stage_named(read_preset(ctx.params.get("preset_name", DEFAULT_PRESET)), str(self.name))
            raise


@click.group(cls=StageGroup, short_help="Train the stages of a model.")
def train() -> None:
    """Train the stages of a model on folders of audio (needs the extra "train").

    COMMAND may be the name of a stage: "melcodec train stages" lists them in the order in which they are trained. Each
    finds in the --run folder what was trained before it.

    A folder, or the folders directly in it, may have a manifest.csv (path, source, speaker, split, licence, text).
    Without one, each folder directly in it, or in parts such as dev-clean and wav48, is a speaker, and all files
    directly in it are by one. A twentieth of the speakers, at least one, is kept for measuring.

    \b
    Examples:
      melcodec train all --data speech/ --run runs/mine --minutes 120
      melcodec train coder --data speech/ --run runs/mine --minutes 60
      melcodec train coder --data speech/ --run runs/mine --minutes 60 --resume
      melcodec train all --preset tiny --data speech/ --run /tmp/tiny
      torchrun --nproc-per-node 4 --no-python -- melcodec train coder --data speech/ --run runs/mine
      melcodec train plot runs/mine
    """


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    folder = click.Path(path_type=Path, file_okay=False)
    for option in reversed(
        (
            click.option("--data", "folders", multiple=True, required=True, metavar="FOLDER",
                         type=click.Path(path_type=Path, exists=True, file_okay=False),
                         help="Folder of audio; may be given several times."),
            click.option("--run", "run_folder", required=True, metavar="DIR", type=folder,
                         help="Where checkpoints, logs and weights go."),
            click.option("--preset", "preset_name", default=DEFAULT_PRESET, show_default=True, metavar="NAME|FILE",
                         shell_complete=complete_preset,
                         help="A preset that ships, or a TOML file like one."),
            change_option,
            click.option("--minutes", metavar="N", type=click.FloatRange(min=0, min_open=True),
                         help="Length of the run in minutes, instead of the preset's."),
            click.option("--steps", metavar="N", type=click.IntRange(min=1),
                         help="Length of the run in steps, instead of minutes."),
            click.option("--resume", is_flag=True, help="Continue from the run's last checkpoint."),
            click.option("--force", is_flag=True, help="Start again where the run has been trained already."),
            click.option("--init", "start_from", metavar="PATH", multiple=True,
                         type=click.Path(path_type=Path, exists=True),
                         help="Start from the weights of a bundle or another run, or from the mean of several."),
            click.option("--cache", metavar="DIR", type=folder,
                         help="Where decoded audio is kept.  [default: cache beside the run]"),
            click.option("--device", default="auto", show_default=True, metavar="NAME",
                         help="auto, cpu, cuda, cuda:N or mps."),
            click.option("--threads", metavar="N", type=click.IntRange(min=1), help="CPU threads to use."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def _stage_command(stage: str) -> click.Command:
    @click.command(stage, cls=StageCommand, short_help=f"Train the stage {stage}.")
    @_options
    def command(preset_name: str, minutes: float | None, steps: int | None, **rest: Any) -> None:
        from melcodec_cli.train.stages import Length, train_stage

        length = Length(minutes, steps)
        preset, corpus, device = _prepare(stage, preset_name, **rest)
        train_stage(
            stage, preset, corpus, rest["run_folder"], length, device, rest["resume"], rest["start_from"],
            _command_line(),
        )  # fmt: skip

    command.help = (
        f"Train the stage {stage}.\n\n\b\nExamples:\n"
        f"  melcodec train {stage} --data speech/ --run runs/mine --minutes 60\n"
    )
    return command


@train.command("stages", short_help="List the stages of a preset.")
@click.option("--preset", "preset_name", default=DEFAULT_PRESET, show_default=True, metavar="NAME|FILE",
              shell_complete=complete_preset,
              help="A preset that ships, or a TOML file like one.")  # fmt: skip
def list_stages(preset_name: str) -> None:
    """List the stages of a preset in the order in which they are trained, with the minutes that it gives each.

    \b
    Examples:
      melcodec train stages --preset speech-48k
    """
    from melcodec_cli.train.presets import read_preset

    preset = read_preset(preset_name)
    for stage in preset.declared:
        show_line(f"{stage.name:<12}{preset.stages[stage.name].run.minutes:g} minutes")


@train.command("all", short_help="Train every stage in order and pack the bundle.")
@_options
@licence_option
def train_all(
    preset_name: str, minutes: float | None, steps: int | None, licence: str | None, **rest: Any
) -> None:
    """Train every stage in order and pack the bundle.

    --minutes is the length of the whole, shared out as in the preset; --steps is the length of each stage. The bundle
    is DIR/NAME.safetensors.

    \b
    Examples:
      melcodec train all --preset speech-16k --data speech/ --run runs/mine
    """
    from melcodec_cli.train.packing import licence_for, pack_run
    from melcodec_cli.train.ranks import is_first
    from melcodec_cli.train.stages import Length, shares, train_stage

    length = Length(minutes, steps)
    preset, corpus, device = _prepare("all", preset_name, **rest)
    # Check this before hours of training, as licences may contradict each other.
    licence = licence or licence_for({clip.licence for clip in corpus.clips})
    for stage, share in shares(preset).items():
        if is_first():
            say(f"training the stage {stage}")
        train_stage(
            stage, preset, corpus, rest["run_folder"], length.share(share), device, rest["resume"],
            rest["start_from"], _command_line(),
        )  # fmt: skip
    if is_first():
        path = rest["run_folder"] / f"{preset.profile['name']}.safetensors"
        pack_run(preset, rest["run_folder"], path, corpus, licence)
        show_line(path)


train.add_command(copy_sample)
train.add_command(make_music)


@train.command("plot", short_help="Draw the curves and sample spectrograms of a run.")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--output",
    "-o",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the pictures go.  [default: RUN]",
)
def plot(run_folder: Path, output: Path | None) -> None:
    """Draw the curves and sample spectrograms of a run, one PNG for each stage that has been trained.

    \b
    Examples:
      melcodec train plot runs/mine
    """
    from melcodec_cli.train.plot import plot_run

    for path in plot_run(run_folder, output or run_folder):
        show_line(path)


def _command_line() -> str:
    from melcodec_cli.train.history import command_line

    return command_line(click.get_current_context().find_root().obj)


def _prepare(
    stage: str,
    preset_name: str,
    changes: tuple[str, ...],
    folders: tuple[Path, ...],
    run_folder: Path,
    cache: Path | None,
    device: str,
    threads: int | None,
    resume: bool,
    force: bool,
    start_from: tuple[Path, ...],
) -> tuple[Preset, Corpus, torch.device]:
    import torch

    from melcodec_cli.models.bundle import choose_device
    from melcodec_cli.train.checkpoint import refuse_to_lose
    from melcodec_cli.train.presets import read_preset
    from melcodec_cli.train.ranks import first_of_the_ranks, join_ranks
    from melcodec_cli.train.stages import stage_named

    preset = read_preset(preset_name, changes)
    stages = preset.declared if stage == "all" else [stage_named(preset, stage)]
    for each in stages:
        each.check(list(folders))
        if not force:
            refuse_to_lose(run_folder / each.name, resume)
    if threads:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # otherwise silence slows a CPU down tenfold
    own_device = join_ranks()
    with first_of_the_ranks():
        corpus = open_data(preset, folders, cache or run_folder / "cache")
    return preset, corpus, own_device or choose_device(device)


def open_data(preset: Preset, folders: tuple[Path, ...], cache: Path) -> Corpus:
    """Open the corpus in the folders; files left out are reported on stderr."""
    from melcodec_cli.errors import UsageProblem
    from melcodec_cli.train.corpus import open_corpus
    from melcodec_cli.train.ranks import is_first

    chosen = preset.corpus
    corpus = open_corpus(
        list(folders), cache, preset.shape.rate_hz, chosen.speed_copies, without=chosen.without
    )
    if is_first():
        for path, reason in corpus.left_out.items():
            say(f"{path}: left out: {reason}")
        if corpus.clips and all(clip.split != "dev" for clip in corpus.clips):
            notice = "no speaker is kept for measuring, so dev figures are measured on training clips"
            say(notice)
    if not corpus.clips:
        raise UsageProblem(f"no file in {', '.join(map(str, folders))} can be read as audio")
    return corpus
