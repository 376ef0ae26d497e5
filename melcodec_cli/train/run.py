"""The training loop: schedule, averaged weights, checkpoints, exact resume, log."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from melcodec_cli.errors import Terminated, UsageProblem
from melcodec_cli.layers.precision import computes_bfloat16
from melcodec_cli.report.console import say, say_plainly
from melcodec_cli.systems.system import Shape
from melcodec_cli.train.ahead import Source, drawn_ahead, workers_for
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.checkpoint import moments, read, restore_moments, save_atomically, under
from melcodec_cli.train.clustering import grown
from melcodec_cli.train.history import Leg, legs_of
from melcodec_cli.train.log import Log
from melcodec_cli.train.muon import Muon, matrices_of
from melcodec_cli.train.ranks import agreed, share_gradients
from melcodec_cli.train.run_config import Phase, RunConfig
from melcodec_cli.train.stopping import StopSignal
from melcodec_cli.train.task import Moment, Task


class Run:
    """One stage trained in one folder: checkpoint.safetensors, log.csv, sample.npy (log-mel panels), curves.safetensors
    (pitch in them) and stage.safetensors (averaged weights).

    command: the command line, to be recorded.
    """

    def __init__(
        self,
        task: Task,
        batches: Source,
        dev: Crops,
        config: RunConfig,
        shape: Shape,
        folder: Path,
        device: torch.device,
        command: str = "",
    ) -> None:
        self.task, self.batches, self.config, self.folder = task, batches, config, folder
        self.shape = shape
        self.device = device
        self.task.to(self.device)
        self.dev = dev.to(self.device)
        self.step, self.elapsed_s = 0, 0.0
        self.command, self.init = command, ""
        self.earlier: list[Leg] = []  # legs of the weights that it starts from or resumes
        self.step_before, self.elapsed_before_s = 0, 0.0  # what came before this process's own leg
        self.prepared = False  # whether the stage has the statistics of its data
        # On a processor that emulates bfloat16, convolutions take five times as long with it.
        self.mixed = config.bfloat16 and computes_bfloat16(device)
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.ranks = dist.get_world_size() if dist.is_initialized() else 1
        self.optimisers = {player: self._optimisers(player) for player in task.players}
        self.average = {k: v.detach().clone() for k, v in task.stage.state_dict().items()}
        folder.mkdir(parents=True, exist_ok=True)

    def _optimisers(self, player: str) -> dict[str, torch.optim.Optimizer]:
        """AdamW, and Muon for the matrices of the stage if the configuration says so."""
        config, module = self.config, getattr(self.task, player)
        matrices = list(matrices_of(module)) if config.matrices and player == "stage" else []
        own = {id(weight) for weight, _ in matrices}
        optimisers: dict[str, torch.optim.Optimizer] = {
            "optimiser": torch.optim.AdamW(
                [each for each in module.parameters() if id(each) not in own],
                config.rate, (config.betas[0], config.betas[1]),
                weight_decay=config.weight_decay, fused=True,
            )
        }  # fmt: skip
        if matrices:
            optimisers["matrices"] = Muon(matrices, config.rate, config.weight_decay)
        return optimisers

    @property
    def has_checkpoint(self) -> bool:
        return (self.folder / "checkpoint.safetensors").exists()

    def start_from(self, weights: dict[str, Tensor], init: str, legs: list[Leg]) -> None:
        """Start from the weights of another run, even of another profile: weights that do not fit stay as initialised,
        but for a codebook, which may grow.

        init, legs: where the weights come from and how they were trained, to be recorded.
        """
        own = self.task.stage.state_dict()
        weights = self.task.fitted(grown(weights, own))
        fitting = {
            key: value for key, value in weights.items() if key in own and value.shape == own[key].shape
        }
        if not fitting:
            raise UsageProblem("none of the --init weights fits this stage")
        if len(fitting) < len(weights):
            say(f"{len(weights) - len(fitting)} of {len(weights)} weights do not fit and are left out")
        self.task.stage.load_state_dict({**own, **fitting})
        self.prepared = "mean" in fitting
        self.init, self.earlier = init, legs

    @property
    def legs(self) -> list[Leg]:
        minutes = (self.elapsed_s - self.elapsed_before_s) / 60
        own = Leg(self.command, self.init, self.step - self.step_before, round(minutes, 2))
        return [*self.earlier, own]

    # -- schedule

    @property
    def progress(self) -> float:
        if self.config.steps:
            return min(1.0, self.step / self.config.steps)
        return min(1.0, self.elapsed_s / (60 * self.config.minutes))

    @property
    def phase(self) -> Phase:
        """The phase that the run is in."""
        phases = self.config.phases or (Phase(),)
        whole = sum(phase.share for phase in phases)
        place = (self.progress * self.config.cycles) % 1.0 * whole
        for phase in phases:
            place -= phase.share
            if place < 0:
                return phase
        return phases[-1]

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / max(1, self.config.warmup_steps))
        return (
            self.config.rate
            * self.phase.rate
            * warm
            * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        )

    # -- the loop

    def train(self, resume: bool = False) -> dict[str, float]:
        config, task = self.config, self.task
        samples = int(config.seconds * self.shape.rate_hz)
        samples -= samples % self.shape.frame_samples
        if resume and self.has_checkpoint:
            self.load()
        elif not self.prepared:
            task.prepare(self.batches.unlabelled(64, samples, seed=0).to(self.device))
        if self.step == 0:
            self.average = {k: v.detach().clone() for k, v in task.stage.state_dict().items()}
        # torchrun forwards signals that ranks may already have, so a second one must not kill them; torchrun may.
        with StopSignal(second_kills=self.ranks == 1) as stop:
            seeds = map(self._seed, count(self.step))
            workers = workers_for(self.batches, self.device)
            draws = drawn_ahead(self.batches, config.batch, samples, seeds, workers)
            return self._steps(draws, stop)

    def _steps(self, draws: Iterator[Crops], stop: StopSignal) -> dict[str, float]:
        config, task = self.config, self.task
        log = Log(self.folder / "log.csv", self.step)
        begun = time.monotonic() - self.elapsed_s
        dev_s = saved_s = shown_s = self.elapsed_s
        shown_step = self.step
        dev: dict[str, float] = {}
        stopped_by = 0
        done = self.progress >= 1
        while not (done or stopped_by):
            crops = next(draws).to(self.device)
            torch.manual_seed(self._seed(self.step))
            moment = Moment(self.step, self.progress, self.phase.adversary)
            figures: dict[str, float] = {}
            for player in task.players:
                if task.active(player, moment):
                    figures |= self._turn(player, lambda: task.loss(player, crops, moment))  # noqa: B023
            task.after_step(moment)
            self._average()
            self.step += 1
            self.elapsed_s, stopped_by = agreed(time.monotonic() - begun, stop.number, self.device)
            done = self.progress >= 1
            if self.rank == 0 and (self.step % config.log_steps == 0 or done):
                speed = (self.step - shown_step) / max(1e-9, self.elapsed_s - shown_s)
                shown_s, shown_step = self.elapsed_s, self.step
                self._show(figures, speed)
            due = config.dev_steps and self.step % config.dev_steps == 0
            due = due or (not config.dev_steps and self.elapsed_s - dev_s > 60 * config.dev_minutes)
            if self.rank == 0 and (due or done):
                dev_s = self.elapsed_s
                dev = self.evaluate()
                log.write(
                    {
                        "step": self.step,
                        "minutes": self.elapsed_s / 60,
                        "rate": self._rate(),
                        **figures,
                        **dev,
                    }
                )
                say_plainly("  dev: " + "  ".join(f"{k} {v:.4g}" for k, v in dev.items()))
            due = self.elapsed_s - saved_s > 60 * config.checkpoint_minutes
            if self.rank == 0 and (due or done or stopped_by):
                saved_s = self.elapsed_s
                self.save()
        # All ranks wait until rank 0 has saved, then stop if a signal came in the meantime.
        _, stopped_by = agreed(self.elapsed_s, stop.number, self.device)
        if stopped_by:
            raise Terminated if stopped_by == signal.SIGTERM else KeyboardInterrupt
        return dev

    def _seed(self, step: int) -> int:
        """The seed of a step depends only on the step, so that a resumed run continues exactly."""
        return (self.config.seed * 1_000_003 + step) * 64 + self.rank

    def _turn(self, player: str, loss_of: Callable[[], tuple[Tensor, dict[str, float]]]) -> dict[str, float]:
        optimisers = self.optimisers[player]
        parameters = list(getattr(self.task, player).parameters())
        for kind, optimiser in optimisers.items():
            (group,) = optimiser.param_groups
            group["lr"] = self._rate() * (self.config.matrices if kind == "matrices" else 1)
            optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            loss, figures = loss_of()
        loss.backward()
        share_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        if torch.isfinite(norm):  # one bad batch must not ruin hours of training
            for optimiser in optimisers.values():
                optimiser.step()
        return {("loss" if player == "stage" else player): loss.item(), **figures}

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for name, value in self.task.stage.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - keep)
            else:
                self.average[name].copy_(value)

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Dev figures of the averaged weights."""
        own = {k: v.detach().clone() for k, v in self.task.stage.state_dict().items()}
        self.task.stage.load_state_dict(self.average)
        self.task.eval()
        figures = self.task.evaluate(self.dev)
        if panels := [panel.float().cpu() for panel in self.task.picture(self.dev)]:
            np.save(self.folder / "sample.npy", torch.stack(panels).numpy().astype(np.float16))
        if curves := self.task.curves(self.dev):
            save_atomically(curves, self.folder / "curves.safetensors", {})
        self.task.train()
        self.task.stage.load_state_dict(own)
        return figures

    def _show(self, figures: dict[str, float], speed: float) -> None:
        if self.config.steps:
            left_s = (self.config.steps - self.step) / max(speed, 1e-9)
        else:
            left_s = 60 * self.config.minutes - self.elapsed_s
        left_s = max(0.0, left_s)  # the last step may end a little late
        text = "  ".join(f"{k} {v:.4g}" for k, v in figures.items())
        say_plainly(f"step {self.step}  {text}  {speed:.2f} steps/s  {left_s / 60:.1f} min left")

    # -- checkpoints

    def save(self) -> None:
        tensors = {f"task.{k}": v for k, v in self.task.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for player, optimisers in self.optimisers.items():
            for kind, optimiser in optimisers.items():
                tensors |= {f"{kind}.{player}.{k}": v for k, v in moments(optimiser).items()}
        notes = {
            "progress": json.dumps({"step": self.step, "elapsed_s": self.elapsed_s}),
            "legs": json.dumps([leg.to_dict() for leg in self.legs]),
        }
        save_atomically(tensors, self.folder / "checkpoint.safetensors", notes)
        save_atomically(self.average, self.folder / "stage.safetensors", notes)

    def load(self) -> None:
        path = self.folder / "checkpoint.safetensors"
        tensors, notes = read(path, self.device)
        progress = json.loads(notes["progress"])
        self.step, self.elapsed_s = progress["step"], progress["elapsed_s"]
        self.step_before, self.elapsed_before_s = self.step, self.elapsed_s
        self.earlier = legs_of(path, self.folder.name)
        self.task.load_state_dict(under("task.", tensors))
        self.average = under("average.", tensors)
        for player, optimisers in self.optimisers.items():
            for kind, optimiser in optimisers.items():
                restore_moments(optimiser, under(f"{kind}.{player}.", tensors))
