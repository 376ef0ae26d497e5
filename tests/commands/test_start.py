"""Modules that a conversion must not import: each takes as long as the whole start should."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

HEAVY = {"torch._dynamo", "torch._inductor", "sympy", "scipy", "pandas", "matplotlib", "numba", "rich", "ray"}
SCRIPT = """
import json, sys
from melcodec_cli.cli import main
talk, coded, back, bundle = sys.argv[1:]
for arguments in ("compress", talk, coded), ("decompress", coded, back):
    assert main([*arguments, "-q", "--bundle", bundle]) == 0
print(json.dumps(sorted(sys.modules)))
"""


def test_conversions_import_nothing_heavy(tiny_bundle: Path, tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("talk.wav", "talk.mlc", "back.wav")]
    Path(names[0]).write_bytes(wav(noise(2)))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names, str(tiny_bundle)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    modules = json.loads(done.stdout)
    assert "torch" in modules  # it has really converted something
    assert not HEAVY & set(modules)
