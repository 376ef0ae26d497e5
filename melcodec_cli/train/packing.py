"""From a run's folder to a bundle that says how it came to be."""

from __future__ import annotations

import csv
import shlex
import sys
from pathlib import Path
from typing import Any

from melcodec_cli.bundle import save_bundle
from melcodec_cli.chain.chain import Chain
from melcodec_cli.errors import UsageProblem
from melcodec_cli.train.corpus import Corpus
from melcodec_cli.train.presets import Preset
from melcodec_cli.train.stages import STAGES, trained


def pack_run(
    preset: Preset, folder: Path, path: Path, corpus: Corpus | None, licence: str = "Apache-2.0"
) -> None:
    """Pack the averaged weights of every stage; each must have been trained."""
    chain = Chain(preset.profile)
    summary: dict[str, Any] = {"command": shlex.join(["melcodec", *sys.argv[1:]]), "stages": {}}
    for stage in STAGES:
        module = getattr(chain, stage)
        if module is None:
            continue
        if trained(module, folder / stage) is None:
            raise UsageProblem(f"{folder}: the {stage} has not been trained")
        summary["stages"][stage] = _last_row(folder / stage / "log.csv")
    if corpus is not None:
        summary["corpus"] = {
            "fingerprint": corpus.fingerprint,
            "train_hours": round(corpus.hours("train"), 2),
            "sources": corpus.licences(),
        }
    save_bundle(chain, path, preset.profile.name, licence, summary)


def _last_row(log: Path) -> dict[str, float]:
    """Steps, minutes and dev figures at the end of a stage's run."""
    if not log.exists():
        return {}
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: float(value) for key, value in rows[-1].items() if value and key != "rate"} if rows else {}
