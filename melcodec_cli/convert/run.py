"""Runs a command's conversions: checks every target first, then converts, then reports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import click

from melcodec_cli.convert.engine import Engine, LocalEngine
from melcodec_cli.convert.progress import progress
from melcodec_cli.convert.request import Request
from melcodec_cli.errors import OutputExists, SameFile, UsageProblem
from melcodec_cli.files.atomic import check_output, sweep
from melcodec_cli.files.standard import someone_answers, standard_input
from melcodec_cli.files.streams import STDIO, is_stream
from melcodec_cli.files.targets import Pair
from melcodec_cli.models.choose import Models
from melcodec_cli.report.console import ask
from melcodec_cli.report.record import Record
from melcodec_cli.report.report import Report


@dataclass(frozen=True)
class Overwriting:
    """What to do about targets that already exist."""

    force: bool
    skip: bool
    is_complete: Callable[[Pair], bool]  # the target is what the conversion would make
    is_worthless: Callable[[Pair], bool]  # nothing is lost by replacing it
    warning: str = ""  # what an existing target with a derived name may be

    def __post_init__(self) -> None:
        if self.force and self.skip:
            raise UsageProblem("--force and --skip-existing cannot be combined")


def engine_named(name: str, report: Report, models: Models, address: str | None) -> Engine:
    if address and name != "ray":
        raise UsageProblem("--ray-address needs --engine ray")
    if name == "ray":
        from melcodec_cli.convert.ray_engine import RayEngine

        return RayEngine(models.choice, report.notice, report.detail, address)
    return LocalEngine(models, report.notice)


def run(
    pairs: Sequence[Pair],
    request_of: Callable[[Pair, bool], Request],
    overwriting: Overwriting,
    report: Report,
    engine: Engine,
    dry_run: bool = False,
) -> None:
    """Run `request_of(pair, force)` for each pair. If nothing is left to do, nothing is loaded."""
    if report.json_lines and any(pair.target == STDIO for pair in pairs):
        raise UsageProblem(
            "--json writes to standard output, where the result is meant to go; name a file with -o"
        )
    with report.kept_for([Record(pair.source, pair.target) for pair in pairs]):
        ready = list(_admitted(pairs, overwriting, report, dry_run))
        if dry_run:
            for pair, _ in ready:
                report.add_planned(Record(pair.source, pair.target))
        elif ready:
            convert_all((request_of(pair, force) for pair, force in ready), len(ready), report, engine)
        report.finish()


def convert_all(requests: Iterable[Request], count: int, report: Report, engine: Engine) -> None:
    """Convert without checking for existing targets."""
    # Always closed, so that unfinished work is cleaned up before an error is reported.
    with (
        progress(count, report) as shown,
        closing(engine.convert(requests, shown.job_done if shown else None)) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.error is None:
                report.add(outcome.record)
            else:
                report.add_failure(outcome.record, outcome.error)
            if shown:
                shown.file_done(outcome.record)


def _admitted(
    pairs: Sequence[Pair], overwriting: Overwriting, report: Report, dry_run: bool
) -> Iterator[tuple[Pair, bool]]:
    """The pairs to convert, each with whether to replace its target."""
    sources = {os.path.realpath(pair.source) for pair in pairs} if len(pairs) > 1 else set()
    for pair in pairs:
        record = Record(pair.source, pair.target)
        try:
            force = _admit(pair, overwriting, dry_run)
            target = os.path.realpath(pair.target)
            if force and target in sources and target != os.path.realpath(pair.source):
                raise SameFile("is another input; choose another name for the output", pair.target)
        except click.Abort:  # Ctrl-C at the question
            raise
        except Exception as error:
            report.add_failure(record, error)
        else:
            if force is None:
                record.status = "skipped"
                report.add(record)
            else:
                yield pair, force


def _admit(pair: Pair, overwriting: Overwriting, dry_run: bool) -> bool | None:
    """True if an existing target is to be replaced; None if there is nothing to do."""
    if pair.problem:
        raise pair.problem
    if pair.source != STDIO and not os.path.exists(pair.source):
        raise UsageProblem("no such file", pair.source)
    if pair.target == STDIO:
        return overwriting.force
    if is_stream(pair.target) and os.path.exists(pair.source) and os.path.samefile(pair.source, pair.target):
        raise SameFile("is the input itself; choose another name for the output", pair.target)
    pair.check_inside()
    if pair.root is not None and not os.path.isdir(pair.folder):
        if not dry_run:
            os.makedirs(pair.folder, exist_ok=True)
        return overwriting.force
    try:
        source = pair.source if pair.source != STDIO else standard_input()
        check_output(pair.target, overwriting.force, [source])
    except OutputExists:
        if overwriting.skip and overwriting.is_complete(pair):
            sweep(pair.target)
            return None
        if not _may_replace(pair, overwriting):
            if overwriting.warning:
                advice = "name another output with -o, or use --force to replace it"
                raise OutputExists(f"already exists, {overwriting.warning}; {advice}", pair.target) from None
            raise
        return True
    except SameFile:
        # The conversion refuses it too, but first reports an input that it cannot read.
        if dry_run:
            raise
    return overwriting.force


def _may_replace(pair: Pair, overwriting: Overwriting) -> bool:
    if overwriting.skip:
        return overwriting.is_worthless(pair)
    if pair.source != STDIO and someone_answers():
        what = f"already exists{overwriting.warning and ', '}{overwriting.warning}"
        return ask(f"{pair.target} {what}; replace it?")
    return False
