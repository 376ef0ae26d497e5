"""What the fuzzer found, replayed, as it was and with pieces changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, read_any

pytestmark = pytest.mark.slow

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_find_raises_nothing_but_the_errors_of_the_family(path: Path) -> None:
    read_any(path.read_bytes())


@settings(deadline=None)  # the first one makes the model
@given(st.sampled_from(CORPUS), st.binary(max_size=20), st.data())
def test_a_changed_find_raises_nothing_but_the_errors_of_the_family(
    path: Path, put_in: bytes, data: st.DataObject
) -> None:
    found = path.read_bytes()
    start = data.draw(st.integers(1, len(found)))
    stop = data.draw(st.integers(start, len(found)))
    read_any(found[:start] + put_in + found[stop:])


@settings(deadline=None)
@given(st.integers(0, len(TARGETS) - 1), st.binary(max_size=300))
def test_any_bytes_raise_nothing_but_the_errors_of_the_family(target: int, data: bytes) -> None:
    read_any(bytes([target]) + data)
