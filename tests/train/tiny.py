"""Variants of presets, mostly the tiny one, and the logs of their runs."""

import csv
from pathlib import Path

from melcodec_cli.train.presets import preset_text


def tiny_preset() -> str:
    return preset_text("tiny")


EVERY_LOSS = """
[stages.coder.losses]
searched = 0.5
average = 0.1
adversary = 0.1
adversary_from = 0.3
adversary_width = 4
phones = 0.1
[stages.vocoder.losses]
coded = 0.5
envelope = 0.1
average = 0.1
pitch = 0.1
adversary = 0.1
adversary_from = 0.3
adversary_width = 2
[stages.refiner.losses]
consistency_from = 0.5
adversary = 0.1
adversary_from = 0.3
adversary_width = 4
"""


def rows(log: Path) -> list[dict[str, str]]:
    with log.open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "minutes"} for row in csv.DictReader(file)]
