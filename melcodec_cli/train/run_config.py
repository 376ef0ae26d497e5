"""How long a stage is trained, on what batches and how fast: [stages.NAME.run] of a preset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A part of a run, with the adversary or without it, to correct what it distorted."""

    share: float = 1.0  # of the run, relative to the shares of other phases
    adversary: bool = True
    rate: float = 1.0  # factor on the run's learning rate


@dataclass(frozen=True)
class RunConfig:
    batch: int = 16
    seconds: float = 2.0  # length of each crop
    rate: float = 1e-3  # peak learning rate
    matrices: float = 0.0  # rate of matrices relative to it, by Muon; 0: by AdamW, as all else
    betas: tuple[float, ...] = (0.9, 0.98)  # of AdamW
    weight_decay: float = 0.01
    warmup_steps: int = 300
    clip_norm: float = 1.0
    ema: float = 0.999
    steps: int = 0  # length of the run in steps ...
    minutes: float = 0.0  # ... or in minutes
    log_steps: int = 50
    dev_minutes: float = 3.0
    dev_steps: int = 0  # instead of dev_minutes
    checkpoint_minutes: float = 3.0
    dev_clips: int = 32
    dev_seconds: float = 3.0
    bfloat16: bool = True
    seed: int = 1
    phases: tuple[Phase, ...] = ()  # in sequence; empty: a single phase
    cycles: int = 1  # how often the phases are repeated
