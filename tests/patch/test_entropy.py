"""A grid of patches, entropy coded after the patch before and the one below, by way of files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from mlcfile import Reader

import melcodec_cli
from melcodec_cli.models.bundle import save_bundle
from melcodec_cli.models.installed import read_bundle_info
from melcodec_cli.models.tables import write_with_tables
from melcodec_cli.train.entropy import make_tables
from tests.patch.small import small_patch
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("channels", [1, 2])
def test_a_coded_grid_is_smaller_and_sounds_the_same(tmp_path: Path, channels: int) -> None:
    plain, tabled = tmp_path / "plain.safetensors", tmp_path / "tabled.safetensors"
    save_bundle(small_patch(), plain, "small", "CC0-1.0", {})
    coded = melcodec_cli.compress(wav(noise(8, seed=1)), bundle=str(plain))
    clips = [chunk.indices[0].astype(np.int64) for chunk in Reader(io.BytesIO(coded))]
    write_with_tables(read_bundle_info(plain), make_tables(clips, 64), tabled, force=False)

    talk = wav(noise(3, channels=channels))
    raw = melcodec_cli.compress(talk, bundle=str(tabled), keep_channels=True, entropy=False)
    smaller = melcodec_cli.compress(talk, bundle=str(tabled), keep_channels=True)
    assert raw == melcodec_cli.compress(talk, bundle=str(plain), keep_channels=True)
    assert len(smaller) < 0.9 * len(raw)
    for start_s, end_s in ((0.0, None), (1.3, 2.1)):
        expected, found = (
            melcodec_cli.decompress(file, bundle=str(tabled), start_s=start_s, end_s=end_s)[0]
            for file in (raw, smaller)
        )
        np.testing.assert_array_equal(found, expected)
