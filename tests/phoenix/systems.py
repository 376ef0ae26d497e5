"""Small systems of random weights, and what they are tried on."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from melcodec_cli.layers.pitch_config import PitchScaleConfig
from melcodec_cli.systems.phoenix.config import (
    BinsConfig,
    EncoderConfig,
    IstftConfig,
    Profile,
    QuantiserConfig,
    TimeConfig,
)
from melcodec_cli.systems.phoenix.harmonic import HarmonicDecoder
from melcodec_cli.systems.phoenix.phoenix import Phoenix
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Codes

SMALL = Profile(
    name="small",
    chunk_frames=40,
    warmup_frames=20,
    encoder=EncoderConfig(channels=(8, 8, 12, 16)),
    quantiser=QuantiserConfig(stages=6, codewords=64),
    time=TimeConfig(first_channels=16, channels=(12, 8, 6, 4)),
    istft=IstftConfig(first_channels=16, channels=(12, 8, 6)),
    harmonic=BinsConfig(first_channels=16, channels=(12, 8, 6)),
    pitch=PitchScaleConfig(bins=32),
)
SHORT = dataclasses.replace(SMALL, decoder="istft", istft=dataclasses.replace(SMALL.istft, window_ms=24))
PROFILES = {
    "time": SMALL,
    "time at 16 kHz": dataclasses.replace(SMALL, rate_hz=16_000),
    "time at 48 kHz": dataclasses.replace(SMALL, rate_hz=48_000),
    "istft": dataclasses.replace(SMALL, decoder="istft"),
    "istft at 16 kHz": dataclasses.replace(SMALL, decoder="istft", rate_hz=16_000),
    "istft, 24 ms": SHORT,
    "harmonic": dataclasses.replace(SMALL, decoder="harmonic"),
    "harmonic at 16 kHz": dataclasses.replace(
        SMALL,
        decoder="harmonic",
        rate_hz=16_000,
        encoder=dataclasses.replace(SMALL.encoder, logarithms=True),
        harmonic=dataclasses.replace(SMALL.harmonic, direct=True),
    ),
}
# Of random weights in whose recurrent layers rounding does not grow.
SEED_DIRECT = 5


def lively(profile: Profile) -> Phoenix:
    """A system of random weights with as long a memory as a trained one, whose frames differ."""
    torch.manual_seed(SEED_DIRECT if profile.harmonic.direct else 3)
    system = Phoenix(profile)
    for name, parameter in system.named_parameters():
        if "over_time" in name and "weight_hh" in name:
            parameter.mul_(3.0)
    if isinstance(system.codec.decoder, HarmonicDecoder):
        system.codec.decoder.excitation.noise.uniform_(-3, 3)
    return system


def speechlike(samples: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    places = np.arange(0, samples + 800, 800)
    envelope = np.interp(np.arange(samples), places, rng.random(len(places)))
    return (rng.normal(0, 0.2, samples) * envelope).astype(np.float32)


def random_indices(frames: int, profile: Profile = SMALL) -> NDArray[np.int64]:
    shape = (frames, profile.quantiser.stages)
    return np.random.default_rng(7).integers(0, profile.quantiser.codewords, shape)


def span_of(total: int, start: int, kept: int, before: int, after: int) -> Span:
    """The span of a chunk in a stream of so many frames, with this much context if there is as much."""
    return Span(min(start, before), kept, min(total - start - kept, after), start)


def cut(values: NDArray, span: Span, unit: int = 1) -> NDArray:
    """The stretch of a span, context included, out of a stream (place, ...), `unit` of which are a frame."""
    begin = span.first - span.before
    return values[begin * unit : (begin + span.total) * unit]


def encoded(system: Phoenix, audio: NDArray[np.float32], *spans: Span) -> list[NDArray[np.int64]]:
    rows = [cut(audio, span, system.profile.hop_samples) for span in spans]
    return [codes.indices for codes in system.encode(rows, spans, {"effort": 1})]


def decoded(system: Phoenix, indices: NDArray[np.int64], *spans: Span) -> list[NDArray[np.float32]]:
    return system.decode([Codes(cut(indices, span), None) for span in spans], spans, {})


def assert_close(one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    """Assert that the difference is small relative to the loudest sample."""
    assert one.shape == other.shape
    assert np.abs(one - other).max() < 1e-5 * np.abs(other).max()
