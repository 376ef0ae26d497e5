"""Modules that a conversion must not import: each takes as long as the whole start should."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from melcodec_cli.train.presets import preset_names, preset_text
from tests.sounds import noise, wav

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.slow

HEAVY = {"torch._dynamo", "torch._inductor", "sympy", "scipy", "pandas", "matplotlib", "numba", "rich", "ray"}
SCRIPT = """
import json, sys
from melcodec_cli.cli import main
talk, coded, back, bundle, profiles = sys.argv[1:]
for arguments in ("compress", talk, coded), ("decompress", coded, back):
    assert main([*arguments, "-q", "--bundle", bundle]) == 0
import torch
from melcodec_cli.systems.registry import build_system
with torch.device("meta"):
    for profile in json.loads(profiles):
        build_system(profile)
print(json.dumps(sorted(sys.modules)))
"""
# All but HiFi-GAN's, whose weight norm drags in torch._dynamo.
PROFILES = [tomllib.loads(preset_text(name))["profile"] for name in preset_names() if name != "published"]


def test_conversions_and_building_any_system_import_nothing_heavy(tiny_bundle: Path, tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("talk.wav", "talk.mlc", "back.wav")]
    Path(names[0]).write_bytes(wav(noise(2)))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names, str(tiny_bundle), json.dumps(PROFILES)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    modules = json.loads(done.stdout)
    assert "torch" in modules  # it has really converted something
    assert not HEAVY & set(modules)
