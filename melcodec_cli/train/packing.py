"""Packs a run's folder into a bundle that records its training, and unpacks it again."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from melcodec_cli.errors import OutputExists, UsageProblem
from melcodec_cli.models.bundle import save_bundle
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.report.console import say
from melcodec_cli.systems.registry import system_of
from melcodec_cli.train.checkpoint import save_atomically
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.folders import UNKNOWN_LICENCE
from melcodec_cli.train.history import Leg, legs_of, summary_of
from melcodec_cli.train.log import Log
from melcodec_cli.train.presets import Preset
from melcodec_cli.train.stage import by_name
from melcodec_cli.train.weights import stage_weights, trained, trained_along


def pack_run(
    preset: Preset,
    folder: Path,
    path: Path,
    corpus: Corpus | None,
    licence: str | None = None,
    name: str | None = None,
) -> None:
    """Pack the averaged weights of every stage; each must have been trained.

    licence: that of the weights; None: as the corpus requires.  name: that of the bundle; None: the profile's.
    """
    licence = licence or licence_for({clip.licence for clip in corpus.clips} if corpus else set())
    system = preset.built()
    summary: dict[str, Any] = {"stages": {}}
    for stage in preset.declared:
        own = folder / stage.name
        if trained(getattr(system, stage.name), own) is None:
            raise UsageProblem(f"{folder}: the stage {stage.name} has not been trained")
        for part, weights in trained_along(own).items():  # later than the stage that they come from
            attrgetter(stage.along[part])(system).load_state_dict(weights)
        summary["stages"][stage.name] = _how_it_came_to_be(stage.name, own)
    if corpus is not None:
        summary["corpus"] = {
            "fingerprint": corpus.fingerprint,
            "train_hours": round(corpus.hours("train"), 2),
            "sources": corpus.licences(),
        }
    save_bundle(system, path, name or preset.profile["name"], licence, summary)


def unpack_bundle(path: Path, folder: Path, stages: Sequence[str]) -> list[Path]:
    """Restore the stages, or all if none is named, with weights, legs and last figures, so that other stages can be
    trained with them.  Returns their folders."""
    info = read_bundle_info(path)
    declared = by_name(system_of(info.profile).stages(info.profile))
    there = list(declared)
    if absent := [stage for stage in stages if stage not in there]:
        raise UsageProblem(f"has no stage {' or '.join(absent)}", path)
    for stage in stages or there:
        if (folder / stage / "stage.safetensors").exists():
            raise OutputExists("already exists: unpack into another folder", folder / stage)
    for stage in stages or there:
        (folder / stage).mkdir(parents=True, exist_ok=True)
        notes = {"legs": json.dumps([leg.to_dict() for leg in legs_of(path, stage)])}
        save_atomically(stage_weights(path, declared[stage]), folder / stage / "stage.safetensors", notes)
        told = info.training.get("stages", {}).get(stage, {})
        figures = {key: value for key, value in told.items() if isinstance(value, int | float)}
        if "step" in figures:
            totals = ("total_steps", "total_minutes")
            row = {key: value for key, value in figures.items() if key not in totals}
            Log(folder / stage / "log.csv", 0).write(row)
    return [folder / stage for stage in stages or there]


def licence_for(corpus_licences: set[str]) -> str:
    """The licence of weights: share-alike and non-commercial terms of the corpus apply to them, else Apache-2.0.

    If the licence of any clip is unknown, that of the weights is unknown, too.
    """
    if not corpus_licences or UNKNOWN_LICENCE in corpus_licences:
        return UNKNOWN_LICENCE
    binding = sorted(each for each in corpus_licences if {"NC", "SA"} & set(re.split(r"[ -]", each)))
    if len(binding) > 1:
        raise UsageProblem(f"the corpus is under {' and '.join(binding)}: choose one with --licence")
    return binding[0] if binding else "Apache-2.0"


def _how_it_came_to_be(stage: str, folder: Path) -> dict[str, Any]:
    """Steps, minutes and dev figures at the end of the run, and the legs of all the training."""
    figures = _last_row(folder / "log.csv")
    if not figures:
        say(f"{folder / 'log.csv'}: no figures for the stage {stage}, so the bundle gets none")
    legs = legs_of(folder / "stage.safetensors", stage)
    if not legs and {"step", "minutes"} <= figures.keys():
        legs = [Leg("", "", int(figures["step"]), figures["minutes"])]
    return {**figures, **(summary_of(legs) if legs else {})}


def _last_row(log: Path) -> dict[str, float]:
    """Steps, minutes and dev figures at the end of a stage's run."""
    if not log.exists():
        return {}
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: float(value) for key, value in rows[-1].items() if value and key != "rate"} if rows else {}
