"""Modules that a conversion must not import: each takes as long as the whole start should."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from melcodec_cli.cli import main
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

HEAVY = {"torch._dynamo", "torch._inductor", "sympy", "scipy", "pandas", "matplotlib", "numba", "rich", "ray"}
SCRIPT = """
import json, sys
from melcodec_cli.cli import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("way", ["compress", "decompress"])
def test_a_conversion_imports_nothing_heavy(way: str, tiny_bundle: Path, tmp_path: Path) -> None:
    talk, coded = tmp_path / "talk.wav", tmp_path / "talk.mlc"
    talk.write_bytes(wav(noise(2)))
    bundle = ["-q", "--bundle", str(tiny_bundle)]
    arguments = ["compress", *bundle, str(talk), str(coded)]
    if way == "decompress":
        assert main(arguments) == 0
        arguments = ["decompress", *bundle, str(coded), str(tmp_path / "back.wav")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    code, modules = json.loads(done.stdout)
    assert code == 0
    assert "torch" in modules  # it has really converted something
    assert not HEAVY & set(modules)
