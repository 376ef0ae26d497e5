"""A codec in one class, as different from fmel as possible: no mel, two rows of five bits, 8 kHz, causal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melcodec_cli.layers.settings import ProfileError, require_range
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Audio, Codes, Identity, Option, Options, Reach, Shape
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.stage import Stage, Training
from melcodec_cli.train.task import Moment, Task

LEVELS = 32


class Net(nn.Module):
    """Maps each frame and the one before it to two numbers within +-1 and back."""

    def __init__(self, frame_samples: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(2 * frame_samples, 2)
        self.decoder = nn.Linear(2 * 2, frame_samples)

    def encode(self, frames: Tensor) -> Tensor:
        return torch.tanh(self.encoder(with_earlier(frames)))

    def decode(self, values: Tensor) -> Tensor:
        return self.decoder(with_earlier(values))


def with_earlier(x: Tensor) -> Tensor:
    """(frame, value) -> each frame next to the one before it, with zeros before the first."""
    return torch.cat([nn.functional.pad(x, (0, 0, 1, 0))[:-1], x], -1)


def levels(values: Tensor) -> Tensor:
    return ((values + 1) / 2 * LEVELS).floor().clamp(0, LEVELS - 1).long()


def middles(indices: Tensor) -> Tensor:
    """Indices -> values; an index that was lost or not sent becomes the middle of the range."""
    return torch.where(indices >= 0, (indices + 0.5) * (2 / LEVELS) - 1, 0.0)


class Toy(nn.Module):
    identity: ClassVar[Identity] = Identity(("net.decoder.",), ("frame_samples",), (), ())
    suits = ("sound",)

    def __init__(self, profile: Mapping[str, Any]) -> None:
        super().__init__()
        self.profile_values = {"name": "toy", "system": "toy", "frame_samples": 80, **profile}
        if unknown := self.profile_values.keys() - {"name", "system", "frame_samples"}:
            raise ProfileError(f"profile has no setting {', '.join(sorted(unknown))}")
        self.frame_samples: int = self.profile_values["frame_samples"]
        require_range("", self, 8, 800, "frame_samples")
        self.net = Net(self.frame_samples)

    @classmethod
    def from_profile(cls, profile: Mapping[str, Any]) -> Toy:
        return cls(profile)

    @classmethod
    def stages(cls, profile: Mapping[str, Any]) -> Sequence[Stage]:
        return [Stage("net", ToyTask, ToyLosses)]

    @property
    def shape(self) -> Shape:
        return Shape(
            rate_hz=8000, frame_samples=self.frame_samples, chunk_frames=100, index_bits=5, codewords=LEVELS,
            encode=Reach(1, 0), decode=Reach(1, 0), rows=2, rows_sent=(1, 2),
        )  # fmt: skip

    @property
    def options(self) -> Sequence[Option]:
        return [Option("effort", "encode", 1, 2, 1)]

    @property
    def device(self) -> torch.device:
        return self.net.encoder.weight.device

    def decode_reach(self, options: Options) -> Reach:
        return self.shape.decode

    @torch.inference_mode()
    def encode(
        self,
        audio: Sequence[Audio],
        spans: Sequence[Span],
        options: Options,
        sent: Sequence[int | None] | None = None,
    ) -> list[Codes]:
        rows = []
        for samples, span in zip(audio, spans, strict=True):
            indices = levels(self.net.encode(torch.from_numpy(samples).view(-1, self.frame_samples)))
            rows.append(Codes(indices[span.kept_slice].numpy(), None))
        return rows

    @torch.inference_mode()
    def decode(self, codes: Sequence[Codes], spans: Sequence[Span], options: Options) -> list[Audio]:
        rows = []
        for each, span in zip(codes, spans, strict=True):
            missing = 2 - each.indices.shape[1]
            indices = np.pad(each.indices, ((0, 0), (0, missing)), constant_values=-1)
            audio = self.net.decode(middles(torch.from_numpy(indices)))
            rows.append(audio[span.kept_slice].flatten().numpy())
        return rows

    def parts(self, options: Options) -> Mapping[str, nn.Module]:
        return {"encoder": self.net.encoder, "decoder": self.net.decoder}

    @property
    def latency_samples(self) -> int:
        return self.frame_samples

    @property
    def live_rates_hz(self) -> Sequence[int]:
        return (self.shape.rate_hz,)

    def at_rate(self, rate_hz: int) -> Toy:
        return self

    live_options: Sequence[Option] = ()

    def open_encoder(self, rows: int, options: Options) -> Sending:
        return Sending(self, rows)

    def open_decoder(self) -> Receiving:
        return Receiving(self)


class Sending:
    """Codes frame by frame, keeping the samples of the last frame and of an incomplete one."""

    def __init__(self, toy: Toy, rows: int) -> None:
        self.toy, self.rows = toy, rows
        self.held = np.zeros(toy.frame_samples, np.float32)

    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        self.held = np.concatenate([self.held, data])
        frames = torch.from_numpy(
            self.held[: len(self.held) // self.toy.frame_samples * self.toy.frame_samples]
        )
        self.held = self.held[len(frames) - self.toy.frame_samples :]
        with torch.inference_mode():
            indices = levels(self.toy.net.encode(frames.view(-1, self.toy.frame_samples)))
        return indices[1:, : self.rows].numpy()

    def flush(self) -> NDArray[Any]:
        missing = -len(self.held) % self.toy.frame_samples
        return self.push(np.zeros(missing, np.float32))


class Receiving:
    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.last = np.full((1, 2), -1)  # before the beginning

    def push(self, data: NDArray[Any]) -> NDArray[Any]:
        rows = np.pad(data, ((0, 0), (0, 2 - data.shape[1])), constant_values=-1)
        known = np.concatenate([self.last, rows])
        self.last = known[-1:]
        return self.toy.decode([Codes(known, None)], [Span(1, len(rows), 0)], {})[0]

    def flush(self) -> NDArray[Any]:
        return np.zeros(0, np.float32)


@dataclass(frozen=True)
class ToyLosses:
    squared: float = 1.0


class ToyTask(Task):
    stage: Net

    def __init__(self, training: Training) -> None:
        super().__init__()
        toy = training.preset.built()
        assert isinstance(toy, Toy)
        self.stage = toy.net
        self.losses: ToyLosses = training.losses("net")

    def _error(self, crops: Crops) -> Tensor:
        """The mean error over the crops; their beginnings and ends do not matter here."""
        frames = crops.audio.reshape(-1, self.stage.decoder.out_features)
        values = self.stage.encode(frames)
        coded = values + (middles(levels(values)) - values).detach()
        return (self.stage.decode(coded) - frames).square().mean()

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        error = self._error(crops)
        return self.losses.squared * error, {"error": error.item()}

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        return {"dev_error": self._error(crops).item()}
