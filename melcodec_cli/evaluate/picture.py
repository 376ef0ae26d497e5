"""Spectrograms as a PNG, drawn with numpy and zlib alone: a look at the result needs no plotting library.

The image holds palette indices: 0..253 run from silence to full scale, the last two are paper and ink.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

PLOT_WIDTH = 1000
PLOT_HEIGHT = 256
LEFT, TOP, RIGHT, BOTTOM = 44, 22, 16, 34
RANGE_DB = 80.0

LEVELS, PAPER, INK = 254, 254, 255
# Nine points of matplotlib's viridis, which keeps its order in print and for the colour-blind.
VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")

# A 3x5 font: each octal digit is one row of three pixels, from the top.
GLYPHS = {
    "0": 0o75557, "1": 0o26227, "2": 0o71747, "3": 0o71317, "4": 0o55711, "5": 0o74717, "6": 0o74757,
    "7": 0o71122, "8": 0o75757, "9": 0o75717, ".": 0o00002, ":": 0o02020, "-": 0o00700, " ": 0o00000,
    "(": 0o24442, ")": 0o21112, "/": 0o11244, ",": 0o00024,
    "A": 0o25755, "B": 0o65656, "C": 0o34443, "D": 0o65556, "E": 0o74647, "F": 0o74644, "G": 0o34553,
    "H": 0o55755, "I": 0o72227, "J": 0o11152, "K": 0o55655, "L": 0o44447, "M": 0o57755, "N": 0o65555,
    "O": 0o25552, "P": 0o65644, "Q": 0o25563, "R": 0o65655, "S": 0o34216, "T": 0o72222, "U": 0o55557,
    "V": 0o55552, "W": 0o55775, "X": 0o55255, "Y": 0o55222, "Z": 0o71247,
}  # fmt: skip
GLYPH_SCALE = 2
GLYPH_ADVANCE = 4 * GLYPH_SCALE
GLYPH_HEIGHT = 5 * GLYPH_SCALE

Image = NDArray[np.uint8]  # (row, column) of palette indices


def write_spectrograms(file: BinaryIO, panels: Mapping[str, NDArray[np.float32]], rate_hz: int) -> None:
    """Write one panel per (title, mono audio), one above the other on common time and level scales."""
    length_samples = max(1, *(len(audio) for audio in panels.values()))
    spectra_db = [level_db(audio, length_samples, rate_hz) for audio in panels.values()]
    loudest_db = max(float(spectrum.max()) for spectrum in spectra_db)
    panel_images = [
        draw_panel(title, (spectrum - loudest_db) / RANGE_DB + 1, length_samples / rate_hz, rate_hz)
        for title, spectrum in zip(panels, spectra_db, strict=True)
    ]
    write_png(file, np.concatenate(panel_images))


def level_db(audio: NDArray[np.float32], length_samples: int, rate_hz: int) -> NDArray[np.float64]:
    """Level in dB (frequency row, low first; column of time) of `audio`, padded to `length_samples`."""
    window_samples = max(16, round(0.032 * rate_hz))
    fft_samples = max(2 * PLOT_HEIGHT, 1 << (window_samples - 1).bit_length())
    padded = np.zeros(length_samples + window_samples, dtype=np.float64)
    padded[window_samples // 2 : window_samples // 2 + len(audio)] = audio
    # One window per column, however long the audio: the work and the memory are those of the picture.
    starts = ((np.arange(PLOT_WIDTH) + 0.5) * length_samples / PLOT_WIDTH).astype(np.int64)
    windows = padded[starts[:, None] + np.arange(window_samples)] * np.hanning(window_samples)
    power = np.abs(np.fft.rfft(windows, fft_samples)[:, :-1]) ** 2  # (column, bin)
    rows = power.reshape(PLOT_WIDTH, PLOT_HEIGHT, -1).mean(axis=2).T
    return 10 * np.log10(rows + 1e-10)


def draw_panel(title: str, spectrum: NDArray[np.float64], duration_s: float, rate_hz: int) -> Image:
    """Draw `spectrum` (0 silent .. 1 loudest) with its title and axes."""
    image = np.full((TOP + PLOT_HEIGHT + BOTTOM, LEFT + PLOT_WIDTH + RIGHT), PAPER, dtype=np.uint8)
    plot = (np.clip(spectrum, 0, 1) * (LEVELS - 1)).round().astype(np.uint8)
    image[TOP : TOP + PLOT_HEIGHT, LEFT : LEFT + PLOT_WIDTH] = plot[::-1]
    draw_text(image, (TOP - GLYPH_HEIGHT) // 2, LEFT, title)
    draw_text(image, (TOP - GLYPH_HEIGHT) // 2, 2, "KHZ")

    axis_row = TOP + PLOT_HEIGHT
    for khz in ticks(rate_hz / 2000, 5):
        row = axis_row - 1 - round(khz / (rate_hz / 2000) * (PLOT_HEIGHT - 1))
        image[row, LEFT - 4 : LEFT] = INK
        label = f"{khz:g}"
        draw_text(image, row - GLYPH_HEIGHT // 2, LEFT - 6 - GLYPH_ADVANCE * len(label), label)
    seconds = ticks(duration_s, 12)
    for second in seconds:
        column = LEFT + round(second / duration_s * (PLOT_WIDTH - 1))
        image[axis_row : axis_row + 4, column] = INK
        label = f"{second:g}" if second != seconds[-1] else f"{second:g} S"
        label_width = GLYPH_ADVANCE * len(label)
        # The last label stays inside the picture.
        left = min(column - label_width // 2, image.shape[1] - label_width)
        draw_text(image, axis_row + 7, left, label)
    return image


def ticks(end: float, most: int) -> list[float]:
    """Round values from 0 to `end` in at most `most` steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(end / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= end)
    return [round(index * step, 10) for index in range(int(end / step + 1e-9) + 1)]


def draw_text(image: Image, top: int, left: int, text: str) -> None:
    """Print `text` in capitals; characters without a glyph leave a gap."""
    for position, character in enumerate(text.upper()):
        bits = np.array(list(f"{GLYPHS.get(character, 0):015b}"), dtype=int)
        glyph = np.kron(bits.reshape(5, 3), np.ones((GLYPH_SCALE, GLYPH_SCALE), dtype=int))
        start = left + position * GLYPH_ADVANCE
        area = image[top : top + GLYPH_HEIGHT, start : start + 3 * GLYPH_SCALE]
        area[glyph[: area.shape[0], : area.shape[1]] == 1] = INK


def palette() -> NDArray[np.uint8]:
    """The 256 colours (index, rgb) that palette indices stand for."""
    points = np.array([list(bytes.fromhex(point)) for point in VIRIDIS], dtype=float)
    position = np.linspace(0, len(VIRIDIS) - 1, LEVELS)
    levels = np.stack([np.interp(position, np.arange(len(VIRIDIS)), points[:, c]) for c in range(3)], axis=1)
    return np.concatenate([levels.round(), [[255, 255, 255], [32, 32, 32]]]).astype(np.uint8)


def write_png(file: BinaryIO, image: Image) -> None:
    """Write an 8-bit palette PNG."""
    height, width = image.shape
    unfiltered = np.zeros((height, width + 1), dtype=np.uint8)  # each row begins with its filter type, 0
    unfiltered[:, 1:] = image
    file.write(b"\x89PNG\r\n\x1a\n")
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette().tobytes()),
        (b"IDAT", zlib.compress(unfiltered.tobytes(), 9)),
        (b"IEND", b""),
    ):
        file.write(struct.pack(">I", len(body)) + kind + body)
        file.write(struct.pack(">I", zlib.crc32(kind + body)))
