"""A pipe flows: what can be computed from what has arrived leaves before more is read."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
from mlcfile import Reader

from melcodec_cli.audio import RawFormat
from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.convert.engine import LocalEngine
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, Request
from melcodec_cli.models.choose import ModelChoice, Models
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.systems.fmel.config import CoderConfig, PitchConfig, Profile, RefinerConfig, VocoderConfig
from tests.sounds import OneWay, Pipe, noise

pytestmark = pytest.mark.slow

RATE_HZ = 16000
CHUNK_S = 0.8


class Watched(OneWay):
    """Remembers, for every write, how much had been read from the other end."""

    def __init__(self, other: "Clocked"):
        super().__init__()
        self.other = other
        self.log: list[tuple[int, int]] = []  # (bytes read, bytes written) after each write

    def write(self, data: Any) -> int:
        written = super().write(data)
        self.log.append((self.other.read_bytes, len(self.received)))
        return written

    def written_when(self, read_bytes: int) -> int:
        """The bytes that had been written before more than this was read."""
        return max([0] + [written for read, written in self.log if read <= read_bytes])


class Clocked(Pipe):
    """A pipe that gives 20 ms at a time and knows how far it was read."""

    def __init__(self, data: bytes, piece_bytes: int):
        super().__init__(data, (piece_bytes,))
        self.read_bytes = 0

    def readinto(self, buffer: Any) -> int:
        size = super().readinto(buffer)
        self.read_bytes += size
        return size


@pytest.fixture
def models(only_tiny_bundle: Path) -> Models:
    return Models(lambda topic, line: None, lambda line: None)


def run(models: Models, request: Request) -> None:
    for outcome in LocalEngine(models, quiet).convert([request]):
        assert outcome.error is None


def decompress_live(models: Models, data: bytes) -> Watched:
    """Decompresses a pipe that delivers a byte at a time."""
    source = Clocked(data, piece_bytes=1)
    target = Watched(source)
    run(
        models, DecompressRequest(cast(BinaryIO, source), cast(BinaryIO, target), form="raw", subtype="f32le")
    )
    return target


def quiet(topic: str, line: str) -> None:
    pass


def compress_live(models: Models, seconds: float, rate_hz: int = RATE_HZ) -> tuple[Clocked, Watched]:
    source = Clocked(noise(seconds, rate_hz).astype("<f4").tobytes(), piece_bytes=4 * (rate_hz // 50))
    target = Watched(source)
    settings = CompressSettings(chunk_s=CHUNK_S)
    files = cast(BinaryIO, source), cast(BinaryIO, target)
    run(models, CompressRequest(*files, settings, RawFormat(rate_hz, 1, "f32le")))
    return source, target


def test_a_chunk_is_written_as_soon_as_its_samples_and_look_ahead_were_read(models: Models) -> None:
    _, target = compress_live(models, 8.0)
    look_ahead_s = models.encoder().shape.encode.after / 25
    ends = [
        block.offset + len(block.data)
        for block in Reader(io.BytesIO(target.received)).blocks()
        if block.type == 1
    ]
    assert len(ends) == 10
    for number, end in enumerate(ends):
        needed_s = min(8.0, (number + 1) * CHUNK_S + look_ahead_s)
        assert target.written_when(round((needed_s + 0.03) * RATE_HZ) * 4) >= end


def test_audio_is_written_as_soon_as_its_chunk_and_look_ahead_were_read(
    models: Models, compress: Callable[..., bytes]
) -> None:
    _, coded = compress_live(models, 16.0)
    target = decompress_live(models, coded.received)
    reader = Reader(io.BytesIO(coded.received))
    decoder = models.decoder(reader.header)
    ends = [block.offset + len(block.data) for block in reader.blocks() if block.type == 1]
    chunk_frames = reader.header.layout.chunk_frames
    for number in range(len(ends)):
        last = number + -(-decoder.reach.after // chunk_frames)  # chunk in which the look-ahead ends
        if last < len(ends):
            assert target.written_when(ends[last]) >= (number + 1) * chunk_frames * 640 * 4


NARROW = CoderConfig(half_width=16, token_width=24, frame_width=16, encoder_half_blocks=3)
OF_FRAMES = replace(NARROW, encoder_frame_blocks=8)
PITCH = PitchConfig(width=16, blocks=3)
REFINER = RefinerConfig(width=16, dilations=(1, 2))
HIFIGAN = VocoderConfig(name="hifigan", upsample_width=16)
TWO_STRIDES = replace(HIFIGAN, upsample_strides=(10, 16), upsample_kernels=(20, 32))
SPARSE = VocoderConfig(fft_samples=1280, hop_frames=2, width=16, blocks=3)


@pytest.mark.parametrize(
    "profile",
    [
        Profile(
            coder=NARROW, refiner=REFINER, pitch=PITCH, vocoder=VocoderConfig(width=16, blocks=3), timbre=None
        ),
        Profile(coder=OF_FRAMES, refiner=replace(REFINER, steps=0), pitch=PITCH, vocoder=SPARSE, timbre=None),
        Profile(coder=NARROW, refiner=replace(REFINER, steps=4), pitch=PITCH, vocoder=HIFIGAN, timbre=None),
        Profile(coder=OF_FRAMES, refiner=None, pitch=None, vocoder=TWO_STRIDES, timbre=None),
    ],
    ids=["harmonic", "two frames, unrefined", "hifigan, four steps", "hifigan of two strides, no refiner"],
)
def test_the_reported_latency_is_the_measured_one(tmp_path: Path, profile: Profile) -> None:
    """It is reported from the bundle's metadata alone, and measured in seconds of the audio that has been read."""
    from melcodec_cli.models.bundle import save_bundle
    from melcodec_cli.systems.fmel.chain import Chain

    bundle = tmp_path / "it.safetensors"
    save_bundle(Chain(profile), bundle, "it", "CC0-1.0", {})
    shape = read_bundle_info(bundle).shape
    assert shape is not None
    told = shape.latency(round(CHUNK_S * 25))
    models = Models(quiet, lambda line: None, ModelChoice(bundle=str(bundle)))
    _, coded = compress_live(models, 16.0)
    header_bytes = coded.written_when(round((told.compress_s - 0.05) * RATE_HZ) * 4)
    assert coded.written_when(round((told.compress_s + 0.05) * RATE_HZ) * 4) > header_bytes
    target = decompress_live(models, coded.received)
    ends = [
        block.offset + len(block.data)
        for block in Reader(io.BytesIO(coded.received)).blocks()
        if block.type == 1
    ]
    chunks_needed = round(told.decompress_s / CHUNK_S)
    assert target.written_when(ends[chunks_needed - 1] - 1) == 0
    assert target.written_when(ends[chunks_needed - 1]) > 0


@pytest.mark.parametrize("rate_hz", [4000, 22050, 44100])
def test_resampling_adds_no_more_latency_than_the_manual_says(models: Models, rate_hz: int) -> None:
    told = models.encoder().shape.latency(round(CHUNK_S * 25))
    _, coded = compress_live(models, 3.0, rate_hz)
    header_bytes = coded.log[0][1]
    assert coded.written_when(round((told.compress_s + 0.35) * rate_hz) * 4) > header_bytes


def test_a_live_stream_is_the_same_as_a_file(models: Models, compress: Callable[..., bytes]) -> None:
    _, live = compress_live(models, 8.0)
    file = compress(noise(8.0), rate_hz=RATE_HZ, chunk_s=CHUNK_S)
    chunks = [[chunk.indices for chunk in Reader(io.BytesIO(data))] for data in (live.received, file)]
    for one, other in zip(*chunks, strict=True):
        np.testing.assert_array_equal(one, other)
