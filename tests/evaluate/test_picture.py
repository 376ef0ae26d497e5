"""Spectrogram pictures, read back with nothing but the PNG specification."""

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from melcodec_cli.evaluate.picture import (
    LEFT,
    LEVELS,
    PLOT_HEIGHT,
    PLOT_WIDTH,
    TOP,
    ticks,
    write_spectrograms,
)


def read_png(data: bytes) -> NDArray[np.uint8]:
    """Palette indices (row, column) of an unfiltered 8-bit palette PNG whose checksums are right."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, position = {}, 8
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + size]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + size)
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        position += 12 + size
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 3, 0, 0, 0] and len(chunks[b"PLTE"]) == 3 * 256
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]


def tone(frequency_hz: float, duration_s: float, rate_hz: int) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate_hz)) / rate_hz).astype("f4")


def picture_of(panels: dict[str, NDArray[np.float32]], rate_hz: int) -> list[NDArray[np.uint8]]:
    """The plots, without titles and axes, of each panel."""
    file = io.BytesIO()
    write_spectrograms(file, panels, rate_hz)
    image = read_png(file.getvalue())
    return [panel[TOP : TOP + PLOT_HEIGHT, LEFT:][:, :PLOT_WIDTH] for panel in np.split(image, len(panels))]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100], ids=["telephone", "wideband", "music"])
def test_a_tone_is_one_bright_line_at_its_frequency(rate_hz: int) -> None:
    (plot,) = picture_of({"tone": tone(1000, 1.0, rate_hz)}, rate_hz)
    brightest_hz = (PLOT_HEIGHT - 0.5 - plot[:, PLOT_WIDTH // 2].argmax()) / PLOT_HEIGHT * rate_hz / 2
    assert abs(brightest_hz - 1000) <= rate_hz / PLOT_HEIGHT
    assert plot.max() == LEVELS - 1


def test_panels_share_their_scales_of_time_and_level() -> None:
    quiet = tone(440, 0.5, 16000) * np.float32(1e-3)
    full, half = picture_of({"loud": tone(440, 1.0, 16000), "quiet": quiet}, 16000)
    assert full.max() == LEVELS - 1
    assert 0 < half.max() < LEVELS / 2  # 60 dB of the 80 dB below
    assert not half[:, PLOT_WIDTH * 6 // 10 :].any()


@pytest.mark.parametrize("samples", [0, 1, 100], ids=["nothing", "one sample", "less than a window"])
def test_very_short_audio_still_makes_a_picture(samples: int) -> None:
    (plot,) = picture_of({"short": np.ones(samples, dtype=np.float32)}, 16000)
    assert plot.shape == (PLOT_HEIGHT, PLOT_WIDTH)


@pytest.mark.parametrize(
    ("end", "expected"),
    [(8.0, [0, 2, 4, 6, 8]), (0.3, [0, 0.1, 0.2, 0.3]), (3600.0, [0, 1000, 2000, 3000])],
    ids=["kilohertz", "fractions", "an hour"],
)
def test_ticks_are_round_numbers(end: float, expected: list[float]) -> None:
    assert ticks(end, 5) == expected
