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
from melcodec_cli.models.choose import ModelChoice, Models
from melcodec_cli.models.installed import bundle_named


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

    def __init__(self, name: str, bundle: str, device: str, threads: int | None, steps: int | None):
        self._info = bundle_named(bundle)
        self._engine = LocalEngine(Models(_ignore, _ignore, ModelChoice(device, threads, bundle)), _ignore)
        self._options = {} if steps is None else {"steps": steps}
        self.name = name if steps is None else f"{name} --steps {steps}"

    def code(self, clip: Clip, speech: Speech) -> Coded:
        mlc, wav = io.BytesIO(), io.BytesIO()
        encode_s = self._run(CompressRequest(clip.path, mlc, CompressSettings(copy_tags=False)))
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
    bundles: Sequence[str], steps: Sequence[int | None], device: str = "auto", threads: int | None = None
) -> list[Contender]:
    """Every bundle with every number of steps; None: its own. A bundle that is a file is named after it."""
    names = [Path(bundle).stem if bundle.endswith(".safetensors") else bundle for bundle in bundles]
    return [
        Melcodec(name if names.count(name) == 1 else bundle, bundle, device, threads, step)
        for name, bundle in zip(names, bundles, strict=True)
        for step in steps
    ]
