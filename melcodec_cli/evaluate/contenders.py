"""What is compared: each contender takes a clip through its own coder and back."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.codec.inspection import inspect
from melcodec_cli.convert.engine import LocalEngine
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, Request
from melcodec_cli.evaluate.clips import Clip, read_speech
from melcodec_cli.evaluate.speech import Audio, Speech
from melcodec_cli.models.choose import ModelChoice, Models, rows_of
from melcodec_cli.models.installed import BundleInfo, bundle_named
from melcodec_cli.systems.system import bit_rate_text


@dataclass(frozen=True)
class Coded:
    """One clip after one contender."""

    audio: Audio  # mono, at the rate of the speech
    total_bits: int  # of the file
    payload_bits: int  # of it what is neither header nor framing
    encode_s: float
    decode_s: float


class Contender(ABC):
    """A model, another codec or a reference; results call it a system."""

    kind: str  # "melcodec", "peer" or "reference"
    name: str

    @abstractmethod
    def code(self, clip: Clip, speech: Speech) -> Coded:
        """Take the clip's file, or the speech in it; give back audio at the speech's rate."""

    def describe(self) -> dict[str, object]:
        """What else the results should say of it."""
        return {}


class Melcodec(Contender):
    """This codec, by the way that a user's files take."""

    kind = "melcodec"

    def __init__(
        self,
        name: str,
        info: BundleInfo,
        steps: int | None,
        effort: int | None,
        bits_per_s: float | None,
        models: Models,
    ):
        self._info = info
        self._bits_per_s = bits_per_s
        self._engine = LocalEngine(models, _ignore)
        self._effort = {} if effort is None else {"effort": effort}
        self._options = {} if steps is None else {"steps": steps}
        self.name = name if steps is None else f"{name} --steps {steps}"
        if effort is not None:
            self.name += f" --effort {effort}"
        if bits_per_s is not None:
            self.name += f" --bitrate {bit_rate_text(bits_per_s)}"

    def code(self, clip: Clip, speech: Speech) -> Coded:
        mlc, wav = io.BytesIO(), io.BytesIO()
        settings = CompressSettings(copy_tags=False)
        encode_s = self._run(
            CompressRequest(clip.path, mlc, settings, bits_per_s=self._bits_per_s, options=self._effort)
        )
        mlc.seek(0)
        decode_s = self._run(DecompressRequest(mlc, wav, options=self._options))
        mlc.seek(0)
        wav.seek(0)
        streams = inspect(mlc).streams
        return Coded(
            audio=read_speech(wav, speech.rate_hz),
            total_bits=8 * len(mlc.getvalue()),
            payload_bits=sum(stream.payload_bits for stream in streams),
            encode_s=encode_s,
            decode_s=decode_s,
        )

    def _run(self, request: Request) -> float:
        """Seconds that it took, without loading the model."""
        (outcome,) = self._engine.convert([request])
        if outcome.error is not None:
            raise outcome.error
        return outcome.record.elapsed_s

    def describe(self) -> dict[str, object]:
        info = self._info
        return {
            "bundle": info.name,
            "bitstream_id": info.bitstream_id,
            "renderer_id": info.renderer_id,
            "bundle_bytes": info.size_bytes,
        }


def _ignore(*_: str) -> None:
    """Notices are for those who convert files."""


def models(
    bundles: Sequence[str],
    steps: Sequence[int | None],
    bit_rates: Sequence[float] = (),
    efforts: Sequence[int | None] = (None,),
    device: str = "auto",
    threads: int | None = None,
) -> list[Contender]:
    """Every bundle with every number of steps and every effort (None: its own), at each of the bit rates if it offers
    several.

    A bundle that is a file is named after it.
    """
    names = [Path(bundle).stem if bundle.endswith(".safetensors") else bundle for bundle in bundles]
    return [
        Melcodec(
            name if names.count(name) == 1 else bundle,
            info,
            step,
            effort,
            bits_per_s,
            Models(_ignore, _ignore, ModelChoice(device, threads, bundle)),
        )
        for name, bundle in zip(names, bundles, strict=True)
        for info in [bundle_named(bundle)]
        for step in steps
        for effort in efforts
        for bits_per_s in _rates(info, bit_rates)
    ]


def _rates(info: BundleInfo, wanted: Sequence[float]) -> Sequence[float | None]:
    """None: the only one, or the highest."""
    if not wanted or info.shape is None or len(info.shape.bits_per_s) == 1:
        return [None]
    for bits_per_s in wanted:
        rows_of(info, bits_per_s)  # raises if it is not offered
    return wanted
