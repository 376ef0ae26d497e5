"""Sounds and pictures of the page, as data URIs: it has to work without anything beside it."""

from __future__ import annotations

import base64
import io

import numpy as np

from melcodec_cli.audio import open_sink
from melcodec_cli.evaluate.picture import LEVELS, write_png
from melcodec_cli.evaluate.speech import FULL_MEL, MEL, Speech, Table
from melcodec_cli.layers.mel import slaney_filters

COLUMNS = 640  # a picture has one for every so many frames; more would be sent and not seen
SHADES = 48  # of the palette's 254: hardly seen, and a third of the bytes
RANGE_NEPER = 80 / 20 * np.log(10)  # 80 dB below the original's loudest


def sound(speech: Speech) -> str:
    """Ogg Opus, which every browser plays and which is transparent beside what is compared here."""
    file = io.BytesIO()
    sink = open_sink(file, "opus", speech.rate_hz, 1, len(speech.sound))
    sink.write(speech.sound[:, None])
    sink.finish()
    return _data_uri("audio/ogg", file.getvalue())


def picture(speech: Speech, loudest: float) -> str:
    """The log-mel as PNG, low bands at the bottom; `loudest` (of the original) is the brightest shade."""
    mel = columns(speech.whole_log_mel)
    level = np.clip((mel - loudest) / RANGE_NEPER + 1, 0, 1)
    shade = np.round(level * (SHADES - 1)) * ((LEVELS - 1) / (SHADES - 1))
    file = io.BytesIO()
    write_png(file, np.ascontiguousarray(shade.round().astype(np.uint8).T[::-1]))
    return _data_uri("image/png", file.getvalue())


def khz_places(speech: Speech) -> dict[int, float]:
    """Where in the picture some frequencies are, as shares of its height from the top: bands are no hertz."""
    config = FULL_MEL if speech.full_band else MEL
    filters = slaney_filters(config)
    bins_hz = np.arange(len(filters)) * config.rate_hz / config.fft_samples
    centres_hz = bins_hz @ filters / filters.sum(axis=0)
    top_khz = round(config.high_hz / 1000)
    inside = [khz for khz in (1, 2, 4, 8, 16) if khz < top_khz]
    bands = np.interp([1000 * khz for khz in inside], centres_hz, np.arange(config.bands) + 0.5)
    places = {khz: float(1 - band / config.bands) for khz, band in zip(inside, bands, strict=True)}
    return {0: 1.0, **places, top_khz: 0.0}


def columns(log_mel: Table) -> Table:
    """(frame, band) -> at most COLUMNS frames, each the mean of its share."""
    frames = len(log_mel)
    if frames <= COLUMNS:
        return log_mel
    edges = np.arange(COLUMNS) * frames // COLUMNS
    shares = np.diff(np.append(edges, frames))
    means: Table = np.add.reduceat(log_mel, edges) / shares[:, None]
    return means


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
