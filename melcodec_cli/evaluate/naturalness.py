"""How natural the decoded speech sounds to DNSMOS, networks that foretell what listeners would say of it.

They hear the decoded speech alone: what is said, and by whom, is nothing to them. So a figure is worth something
beside that of the original (`--against original`), which is no 5 either.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech

NAN = float("nan")


class Opinion(NamedTuple):
    """Opinions of listeners, predicted on their scale from 1 to 5."""

    overall: float
    signal: float
    background: float
    p808: float


def opinion(audio: Audio) -> Opinion:
    """The mean over windows of 9 s, one a second; what is shorter is repeated."""
    if not len(audio):  # which the package would repeat for ever
        return Opinion(NAN, NAN, NAN, NAN)
    # The package refuses what is above full scale, as a loud recording of the full band is once it is resampled.
    found = _networks()(audio.clip(-1.0, 1.0), RATE_HZ, False)
    return Opinion(*(float(found[key]) for key in ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")))


def overall(reference: Speech, decoded: Speech) -> float:
    return decoded.learn(opinion).overall if reference.audio.any() else NAN


def signal(reference: Speech, decoded: Speech) -> float:
    return decoded.learn(opinion).signal if reference.audio.any() else NAN


def background(reference: Speech, decoded: Speech) -> float:
    return decoded.learn(opinion).background if reference.audio.any() else NAN


def p808(reference: Speech, decoded: Speech) -> float:
    return decoded.learn(opinion).p808 if reference.audio.any() else NAN


@cache
def _networks() -> Any:
    """Those that the package's own `run` takes, but on one thread: `run` takes every core for each process."""
    import onnxruntime
    from speechmos import dnsmos

    alone = onnxruntime.SessionOptions()
    alone.intra_op_num_threads = alone.inter_op_num_threads = 1
    folder = Path(dnsmos.__file__).parent / "dnsmos_models"

    class Networks(dnsmos.DNSMOS):
        def __init__(self) -> None:
            self.onnx_sess, self.p808_onnx_sess = (
                onnxruntime.InferenceSession(str(folder / name), alone, providers=["CPUExecutionProvider"])
                for name in ("sig_bak_ovr.onnx", "model_v8.onnx")
            )

    return Networks()
