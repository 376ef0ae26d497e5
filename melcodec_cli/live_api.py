"""Live coding for Python programs: push samples and get bytes, push bytes and get samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import SupportsIndex

import mlcfile
import numpy as np
from numpy.typing import ArrayLike, NDArray

from melcodec_cli.api import in_python_terms, models_for, warn, whole
from melcodec_cli.audio.arrays import from_array
from melcodec_cli.audio.pcm import decode
from melcodec_cli.audio.raw import encoding_named
from melcodec_cli.codec.live import LiveDecoder, LiveEncoder
from melcodec_cli.errors import MelcodecError, UsageProblem, from_mlc_error
from melcodec_cli.models.choose import rows_of
from melcodec_cli.systems.system import Model

__all__ = ["Decoder", "Encoder", "open_decoder", "open_encoder"]


class Encoder:
    """Turns samples into the packets of a live stream, each as soon as it is complete."""

    def __init__(self, live: LiveEncoder) -> None:
        self._live = live
        self.delay_s = (
            live.delay_s
        )  # from a sample's arrival to its leaving the decoder, without computing time

    def push(self, samples: ArrayLike) -> bytes:
        """The bytes that these samples (sample,) complete; the first ones are the header.

        Samples are floats within +-1, or integers that use their whole range.
        """
        with _in_python_terms():
            return self._live.push(_one_channel(samples))

    def finish(self) -> bytes:
        """The last packet, filled up with silence."""
        return self._live.finish()


class Decoder:
    """Turns the bytes of a live stream, however they are cut, into samples.

    In place of what is lost it repeats the last frame for at most 60 ms, and then gives silence.
    """

    def __init__(self, live: LiveDecoder) -> None:
        self._live = live

    @property
    def rate_hz(self) -> int | None:
        """The rate of the samples; None before the header has come."""
        return self._live.rate_hz if self._live.begun else None

    @property
    def delay_s(self) -> float | None:
        """How long a sample takes from the encoder's input to here; None before the header has come."""
        return self._live.delay_s if self._live.begun else None

    def push(self, data: bytes | bytearray | memoryview) -> NDArray[np.float32]:
        """The samples (sample,) that these bytes complete."""
        with _in_python_terms():
            heard = self._live.push(bytes(data))
            if self._live.begun:
                self._tell()
            return heard

    def lose(self) -> NDArray[np.float32]:
        """Samples in place of one packet that will not come, where every `Encoder.push` travels by itself."""
        if not self._live.begun:
            raise UsageProblem("the header must come before a packet can be lost")
        return self._live.lose()

    def finish(self) -> NDArray[np.float32]:
        """The samples that the decoder has held back."""
        with _in_python_terms():
            heard = self._live.finish()
            self._tell()
            return heard

    def _tell(self) -> None:
        for error in self._live.unpacker.damage:
            warn("damage", str(error))
        self._live.unpacker.damage.clear()
        self._live.lost.clear()


def open_encoder(
    rate_hz: float | SupportsIndex,
    *,
    bits_per_s: float | None = None,
    packet_frames: int = 1,
    effort: int | None = None,
    profile: str | None = None,
    bundle: str | None = None,
    device: str = "auto",
) -> Encoder:
    """Open a live stream of one channel of samples at `rate_hz`.

    `bits_per_s` chooses among the bit rates of the model, by default the highest. Packets of 2 frames cost fewer bytes
    than single ones and come a frame later. `effort`, 1 to 8, says how many codings of a frame are tried, where the
    model can. `profile` names an installed bundle, `bundle` the file of one.
    """
    with _in_python_terms():
        rate = whole(rate_hz, "rate_hz")
        if rate is None:
            raise TypeError("a live stream needs its rate_hz")
        models = models_for(bundle, device, None, profile)
        info = models.bundle_for_rate(rate)
        rows = None if bits_per_s is None else rows_of(info, bits_per_s)
        options = {} if effort is None else {"effort": effort}
        model = models.encoder(info, options).model
        return Encoder(LiveEncoder(model, rate, rows=rows, packet_frames=packet_frames, options=options))


def open_decoder(
    *, rate_hz: float | SupportsIndex | None = None, bundle: str | None = None, device: str = "auto"
) -> Decoder:
    """Open a listener to a live stream, at `rate_hz` or that of the original."""
    wanted_hz = whole(rate_hz, "rate_hz")
    models = models_for(bundle, device, None)

    def model_for(header: mlcfile.Header) -> Model:
        return models.decoder(header).model

    return Decoder(LiveDecoder(model_for, lambda header: wanted_hz or header.rate_hz))


def _one_channel(samples: ArrayLike) -> NDArray[np.float32]:
    if np.ndim(samples) != 1:
        raise TypeError("live samples must be one channel, (sample,)")
    file, raw = from_array(samples, 16_000)  # the rate has no meaning here
    return decode(file.read(), encoding_named(raw.encoding))


@contextmanager
def _in_python_terms() -> Iterator[None]:
    try:
        yield
    except mlcfile.MlcError as error:
        raise from_mlc_error(error) from error
    except MelcodecError as error:
        raise type(error)(in_python_terms(error.message)) from error
