"""`melcodec evaluate`: quality in figures, pictures and sounds."""

from __future__ import annotations

from pathlib import Path

import click

from melcodec_cli.commands.options import BitRate, complete_bundles, complete_listed, model_options, options

EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
OUTPUT = click.Path(path_type=Path, dir_okay=False, allow_dash=True)

clip_options = options(
    click.argument("places", metavar="[FOLDER|FILE]...", nargs=-1, type=click.Path(path_type=Path)),
    click.option(
        "--files-from", type=EXISTING, metavar="LIST", help="Take the files named in LIST, one per line."
    ),
    click.option(
        "--limit", type=click.IntRange(min=1), metavar="N", help="Take only N of the clips, evenly spread."
    ),
    click.option(
        "--content",
        type=click.Choice(["speech", "music", "sound"]),
        default="speech",
        show_default=True,
        help="What the clips are; of music and sound, nothing is measured that is only true of a voice.",
    ),
)
noisy_options = options(
    click.option(
        "--noisy",
        is_flag=True,
        help="Code each clip in noise, then in a room, and compare with the clean one.",
    ),
    click.option(
        "--noise",
        type=FOLDER,
        metavar="DIR",
        help="With --noisy: recordings of noise.  [default: other clips as babble, and made-up noise]",
    ),
    click.option(
        "--rooms",
        type=FOLDER,
        metavar="DIR",
        help="With --noisy: responses of rooms to an impulse.  [default: made-up ones]",
    ),
)
system_options = options(
    click.option(
        "--bundle",
        "--profiles",
        "bundles",
        multiple=True,
        metavar="NAME|FILE,...",
        shell_complete=complete_bundles,
        help="Models to measure side by side.  [default: speech-16k]",
    ),
    click.option(
        "--steps",
        metavar="N,...",
        help="Numbers of refiner steps to measure side by side.  [default: the model's own]",
    ),
    click.option(
        "--effort",
        "efforts",
        metavar="N,...",
        help="Efforts of compressing, 1 to 8, to measure side by side.  [default: the model's own]",
    ),
    click.option(
        "--bitrate",
        "bit_rates",
        metavar="N[k],...",
        default="",
        help="Bits per second, such as 1k,6k, to measure side by side of models that offer several.  "
        "[default: the highest]",
    ),
    click.option(
        "--against",
        metavar="NAME,...",
        default="",
        shell_complete=complete_listed("codec2", "opus", "speex", "original"),
        help="Also measure these, where they are installed: codec2, opus, speex; or the original itself: original.",
    ),
)
result_options = options(
    click.option(
        "-o", "--out", metavar="DIR|FILE.html", help="Write a page with tables, pictures and sounds."
    ),
    click.option(
        "--json", "json_file", type=OUTPUT, metavar="FILE", help='Write all figures as JSON ("-": stdout).'
    ),
    click.option(
        "--csv",
        "csv_file",
        type=OUTPUT,
        metavar="FILE",
        help='Write the figures of each clip as CSV ("-": stdout).',
    ),
    click.option(
        "--plot", type=OUTPUT, metavar="FILE.svg", help='Draw quality against bit rate as SVG ("-": stdout).'
    ),
    click.option(
        "--plot-metrics",
        metavar="NAME,...",
        default="",
        help="What to draw: names of metrics as in the JSON.  [default: pesq_wb,estoi; of music and sound "
        "log_mel_l1,lsd_db]",
    ),
    click.option("--markdown", is_flag=True, help="Print the table as Markdown."),
    click.option("-f", "--force", is_flag=True, help="Replace outputs that exist."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but warnings and errors."),
)


@click.command(short_help="Measure quality, bitrate and speed on recordings.")
@clip_options
@system_options
@noisy_options
@click.option(
    "--no-judges",
    is_flag=True,
    help="Leave out the judges that nothing was optimised for, which take ten times as long as all else.",
)
@click.option(
    "--compare",
    nargs=2,
    type=EXISTING,
    metavar="A.json B.json",
    help="Measure nothing, but compare the figures of two earlier runs, clip by clip.",
)
@click.option(
    "--from",
    "earlier",
    type=EXISTING,
    metavar="FILE.json",
    help="Measure nothing, but print, plot or convert the figures of an earlier run.",
)
@result_options
@model_options
def evaluate(
    places: tuple[Path, ...],
    files_from: Path | None,
    limit: int | None,
    content: str,
    bundles: tuple[str, ...],
    steps: str | None,
    efforts: str | None,
    bit_rates: str,
    against: str,
    noisy: bool,
    noise: Path | None,
    rooms: Path | None,
    no_judges: bool,
    compare: tuple[Path, Path] | None,
    earlier: Path | None,
    out: str | None,
    json_file: Path | None,
    csv_file: Path | None,
    plot: Path | None,
    plot_metrics: str,
    markdown: bool,
    force: bool,
    quiet: bool,
    device: str,
    threads: int | None,
) -> None:
    """Code recordings, and compare what comes back with what went in (needs the extra "eval").

    Without a FOLDER or FILE, a small built-in set of speech is used.

    \b
    Examples:
      melcodec evaluate
      melcodec evaluate recordings/ --against codec2,opus,speex --out report/
      melcodec evaluate --files-from dev.txt --bundle mine.safetensors --json after.json
      melcodec evaluate --compare before.json after.json
      melcodec evaluate --from after.json --plot quality.svg
      melcodec evaluate --noisy --bundle speech-24k-live --bitrate 1k,6k --against opus
      melcodec evaluate --content music pieces/ --bundle audio.safetensors --against opus --out report/
      melcodec evaluate --steps 0,1,4 --limit 6 --no-judges
    """
    from melcodec_cli.errors import UsageProblem
    from melcodec_cli.evaluate.clips import clips_listed, clips_of, spread
    from melcodec_cli.evaluate.contenders import models
    from melcodec_cli.evaluate.noisy import Disturbances, NoisyInput, files_in
    from melcodec_cli.evaluate.peers import Original, peers
    from melcodec_cli.evaluate.session import Outputs, Session, compare_files, page_path, show_again
    from melcodec_cli.models.choose import DEFAULT_BUNDLE

    if (noise or rooms) and not noisy:
        raise UsageProblem("--noise and --rooms need --noisy")
    if noisy and content != "speech":
        raise UsageProblem("--noisy is about speech: it cannot be combined with --content music or sound")
    outputs = Outputs(
        page_path(out) if out else None, json_file, csv_file, force, markdown, plot, _listed(plot_metrics)
    )
    if compare:
        return compare_files(*compare, outputs)
    if earlier:
        return show_again(earlier, outputs, quiet)
    if content != "speech" and not (places or files_from):
        raise UsageProblem(f"--content {content} needs a FOLDER or FILE: the built-in set is speech")
    names = [name for bundle in bundles for name in _listed(bundle)] or [DEFAULT_BUNDLE]
    rates = [BitRate().convert(word, None, None) for word in _listed(bit_rates)]
    own = models(names, _numbers(steps, "--steps"), rates, _numbers(efforts, "--effort"), device, threads)
    others, absent = peers(_listed(against), content)
    if noisy:
        others = [*(each for each in others if not isinstance(each, Original)), NoisyInput()]
    clips = clips_of([*places, *(clips_listed(files_from) if files_from else [])])
    session = Session(outputs, quiet, judges=not no_judges, content=content)
    session.leave_out(absent)
    disturb = Disturbances(files_in(noise), files_in(rooms)).of if noisy else None
    session.run(spread(clips, limit), [*own, *others], threads, disturb)
    session.write()


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str | None, option: str) -> list[int | None]:
    try:
        return [int(word) for word in _listed(text or "")] or [None]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a list of whole numbers separated by commas", param_hint=option
        ) from None
