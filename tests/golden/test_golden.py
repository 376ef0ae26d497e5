"""Files that every shipped model made at some time, and what they decoded to then: later releases must still say so.

A model whose weights have changed says other things; then NAME.mlc and NAME.flac are made anew by
`compress --profile NAME --chunk-seconds 1` and `decompress --rate model`.
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import melcodec_cli
from melcodec_cli.models.installed import OWN_FOLDER, read_bundle_info

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent
SHIPPED = sorted(OWN_FOLDER.rglob("*.safetensors"))


def test_every_shipped_model_has_a_golden_file() -> None:
    assert {path.stem for path in SHIPPED} == {path.stem for path in GOLDEN.glob("*.mlc")}


@pytest.mark.parametrize("bundle", SHIPPED, ids=lambda path: path.stem)
def test_a_golden_file_decodes_as_it_did(bundle: Path) -> None:
    """Sixteen bits of each sample, or one step beside where a sum was taken in another order."""
    expected, rate_hz = soundfile.read(GOLDEN / f"{bundle.stem}.flac", dtype="int16")
    found, found_hz = melcodec_cli.decompress(
        GOLDEN / f"{bundle.stem}.mlc",
        bundle=str(bundle),
        rate_hz=read_bundle_info(bundle).facts.shape.rate_hz,  # type: ignore[union-attr]
        device="cpu",
    )
    assert found_hz == rate_hz
    steps = np.abs(np.rint(found * 32768).astype(int) - expected)
    assert steps.max() <= 1
