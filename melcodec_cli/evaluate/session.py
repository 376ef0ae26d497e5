"""One run of the command: the work, what is said of it meanwhile, and what is written at its end."""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from melcodec_cli import __version__
from melcodec_cli.errors import UsageProblem
from melcodec_cli.evaluate.chart import chart_svg, check_keys
from melcodec_cli.evaluate.clips import Clip
from melcodec_cli.evaluate.comparison import compare
from melcodec_cli.evaluate.contenders import Contender
from melcodec_cli.evaluate.evaluation import Heard, Listener, Recording, evaluate, machine, read_recordings
from melcodec_cli.evaluate.metrics import LIKENESS, METRICS, available_metrics, suited_to
from melcodec_cli.evaluate.page import listened, page
from melcodec_cli.evaluate.results import Evaluation, read_json, write_csv, write_json
from melcodec_cli.evaluate.table import print_comparison, print_markdown, print_systems
from melcodec_cli.evaluate.workers import worker_count, workers
from melcodec_cli.files.atomic import check_output, output_file
from melcodec_cli.report.console import say

STDOUT = Path("-")
# What is drawn unless the user says it.
PLOTTED = {
    "speech": ("pesq_wb", "estoi"),
    "music": ("log_mel_l1", "lsd_db"),
    "sound": ("log_mel_l1", "lsd_db"),
}
Disturb = Callable[[Sequence[Recording], Path], Iterable[Recording]]


@dataclass(frozen=True)
class Outputs:
    """Where documents go; "-" is standard output."""

    page: Path | None = None
    json: Path | None = None
    csv: Path | None = None
    force: bool = False
    markdown: bool = False  # the table, for a README
    plot: Path | None = None
    plot_metrics: Sequence[str] = ()  # keys; none: those of PLOTTED

    def __post_init__(self) -> None:
        """Refuse bad outputs before hours of work rather than after them."""
        for path in self._paths:
            if path != STDOUT and path != self.page:
                check_output(path, self.force)
        if self.page:
            self.page.parent.mkdir(parents=True, exist_ok=True)
            check_output(self.page, self.force)

    @property
    def _paths(self) -> list[Path]:
        return [
            path for path in (getattr(self, each.name) for each in fields(self)) if isinstance(path, Path)
        ]

    @property
    def table(self) -> TextIO:
        """Standard output, unless a document has it."""
        return sys.stderr if STDOUT in self._paths else sys.stdout

    @contextmanager
    def opened(self, path: Path) -> Iterator[TextIO]:
        if path == STDOUT:
            yield sys.stdout
            return
        with output_file(path, self.force) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            yield text
            text.detach()


def page_path(place: str) -> Path:
    """The page to write: the file that is named, or one in the folder that is named."""
    path = Path(place)
    return path if path.suffix in (".html", ".htm") else path / "index.html"


def compare_files(first: Path, second: Path, outputs: Outputs) -> None:
    comparisons = compare(read_json(first), read_json(second))
    if outputs.json:
        with outputs.opened(outputs.json) as file:
            json.dump([each.to_json() for each in comparisons], file, indent=1)
            file.write("\n")
    for comparison in comparisons:
        print_comparison(comparison, outputs.table)


def show_again(path: Path, outputs: Outputs, quiet: bool) -> None:
    """Write the figures of an earlier run once more; its sounds are gone, so there is no page."""
    if outputs.page:
        raise UsageProblem("--out needs the recordings, which --from does not have")
    write_figures(read_json(path), outputs, quiet)


def write_figures(evaluation: Evaluation, outputs: Outputs, quiet: bool) -> None:
    if outputs.json:
        with outputs.opened(outputs.json) as file:
            write_json(evaluation, file)
    if outputs.csv:
        with outputs.opened(outputs.csv) as file:
            write_csv(evaluation, file)
    if outputs.plot:
        chart = chart_svg(evaluation, outputs.plot_metrics or PLOTTED[evaluation.content])
        with outputs.opened(outputs.plot) as file:
            file.write(chart)
    if outputs.markdown:  # which was asked for, as a file is
        print_markdown(evaluation, outputs.table)
    elif not quiet:
        print_systems(evaluation, outputs.table)


class Session:
    def __init__(self, outputs: Outputs, quiet: bool = False, judges: bool = True, content: str = "speech"):
        self.recordings: list[Recording] = []
        self.played: list[Recording] = []  # those that the page lets hear
        self.heard: list[Heard] = []
        self.missing: dict[str, str] = {}
        self._outputs = outputs
        self._quiet = quiet
        self._content = content
        self._metrics, missing = available_metrics(suited_to(content, METRICS if judges else LIKENESS))
        self.leave_out(missing)
        if outputs.plot:  # refused before hours of work rather than after them
            plotted = outputs.plot_metrics or PLOTTED[content]
            check_keys(plotted, [metric.key for metric in self._metrics])

    def leave_out(self, missing: dict[str, str]) -> None:
        """Note the metrics and contenders that this machine cannot run, and say why."""
        for name, reason in missing.items():
            self._complain(f"without {name}: {reason}")
        self.missing |= missing

    def run(
        self,
        clips: Sequence[Clip],
        contenders: Sequence[Contender],
        threads: int | None = None,
        disturb: Disturb | None = None,
    ) -> None:
        """disturb: makes recordings of others, and may write files of them to a folder."""
        with warnings.catch_warnings(), TemporaryDirectory(prefix="melcodec-evaluate-") as folder:
            # Of the packages that measure, about themselves and each other.
            warnings.simplefilter("ignore")
            self.recordings = read_recordings(clips, self._complain)
            if disturb:
                self.recordings = list(disturb(self.recordings, Path(folder)))
            self.played = listened(self.recordings, len(contenders)) if self._outputs.page else []
            if not any(each.speech.full_band for each in self.recordings):
                self._metrics = [metric for metric in self._metrics if not metric.full_band]
            seconds = sum(each.speech.duration_s for each in self.recordings) * len(contenders)
            judged = any(metric.kind == "judge" for metric in self._metrics)
            with (
                workers(worker_count(seconds, threads, judged)) as spread_out,
                self._progress(2 * len(self.recordings) * len(contenders)) as advance,
            ):
                listener = Listener(advance, self._complain)
                self.heard = list(
                    evaluate(self.recordings, contenders, self._metrics, self.played, spread_out, listener)
                )
        if not self.heard:
            raise UsageProblem("none of the clips could be coded")

    @property
    def evaluation(self) -> Evaluation:
        metrics = [
            {name: getattr(each, name) for name in ("key", "label", "better", "means", "kind")}
            for each in self._metrics
        ]
        systems = [each.result for each in self.heard]
        return Evaluation(__version__, machine(), metrics, self.missing, systems, self._content)

    def write(self) -> None:
        evaluation, outputs = self.evaluation, self._outputs
        if outputs.page:
            with outputs.opened(outputs.page) as file:
                file.write(page(evaluation, self.recordings, self.played, self.heard))
        write_figures(evaluation, outputs, self._quiet)

    def _complain(self, line: str) -> None:
        say(line)

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[str], None]]:
        from tqdm import tqdm

        shown = sys.stderr.isatty() and not self._quiet
        with tqdm(total=total, disable=not shown, leave=False, file=sys.stderr) as bar:

            def advance(what: str) -> None:
                bar.set_description(what, refresh=False)
                bar.update()

            yield advance
