"""compress and decompress with the tiny bundle."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import melcodec_cli


@pytest.fixture
def compress(tiny_bundle: Path) -> Callable[..., Any]:
    return lambda *arguments, **options: melcodec_cli.compress(*arguments, bundle=str(tiny_bundle), **options)


@pytest.fixture
def decompress(tiny_bundle: Path) -> Callable[..., Any]:
    return lambda *arguments, **options: melcodec_cli.decompress(
        *arguments, bundle=str(tiny_bundle), **options
    )
