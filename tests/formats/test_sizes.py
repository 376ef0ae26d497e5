from __future__ import annotations

import pytest
from mlcfile import Globals

from .streams import blocks_of, header, stream


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 192_000], ids=str)
def test_ten_seconds_take_345_bytes(rate_hz: int) -> None:
    assert len(stream(header(10 * rate_hz, rate_hz=rate_hz))) <= 345


@pytest.mark.parametrize("rate_hz", [16_000, 48_000], ids=str)
def test_ten_seconds_with_global_indices_take_360_bytes(rate_hz: int) -> None:
    assert len(stream(header(10 * rate_hz, rate_hz=rate_hz, globals_=Globals(32, 3)))) <= 360


@pytest.mark.parametrize("globals_", [None, Globals(32, 3)], ids=["no globals", "globals"])
def test_an_hour_takes_one_and_a_half_percent_more_than_its_payload(globals_: Globals | None) -> None:
    of = header(3_600 * 48_000, rate_hz=48_000, globals_=globals_)
    assert of.frames is not None and of.chunks is not None
    payload_bits = of.frames * of.frame_bits + of.chunks * of.chunk_globals_bits
    assert len(stream(of)) <= 1.015 * payload_bits / 8


def test_a_second_of_twenty_five_indices_is_32_bytes_and_six_around_it() -> None:
    assert [len(block) for block in blocks_of(stream(header(16_000)))[1:]] == [1 + 1 + 32 + 4, 1 + 1 + 1 + 4]
