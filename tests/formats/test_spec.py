"""The specification says what the code does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from zlib import crc32

import pytest
from mlcfile import Layout
from mlcfile.blocks import NAMES
from mlcfile.header import MAX_CHUNKS, MAX_SAMPLES
from mlcfile.header_bytes import RATES_HZ
from mlcfile.layout import MAX_BODY_BYTES
from mlcfile.tables import MAX_DISTRIBUTIONS, MAX_FREQUENCIES

from .streams import BROKEN, VECTORS

SPEC = (VECTORS.parent / "SPEC.md").read_text(encoding="utf-8")
MANUAL = VECTORS.parents[1] / "man" / "mlc.5"
EXAMPLE = re.findall(r"^    ([0-9A-F]{2})      ((?:[0-9A-F]{2} )*[0-9A-F]{2})  ", SPEC, re.MULTILINE)


def test_the_worked_example_is_the_golden_file() -> None:
    data = (VECTORS / "good" / "mixed-down-stereo.mlc").read_bytes()
    assert b"".join(bytes.fromhex(field) for _, field in EXAMPLE) == data
    start = 0
    for offset, field in EXAMPLE:
        assert int(offset, 16) == start
        start += len(bytes.fromhex(field))


def test_the_worked_example_explains_its_checksums() -> None:
    data = b"".join(bytes.fromhex(field) for _, field in EXAMPLE)
    formulas = re.findall(r"CRC32\((bytes [^)]*)\)$", SPEC, re.MULTILINE)
    stored = [data[0x0E:0x10], data[0x1D:0x21], data[0x24:]]
    for formula, expected in zip(formulas, stored, strict=True):
        covered = b""
        for part in formula.split(", "):
            if part.startswith("bytes"):
                first, last = (int(place, 16) for place in part.removeprefix("bytes ").split(".."))
                covered += data[first : last + 1]
            else:
                covered += bytes.fromhex(part)
        assert crc32(covered).to_bytes(4, "big")[-len(expected) :] == expected


def test_the_worked_example_explains_its_bits() -> None:
    bits, values = re.search(r"^    ([01 ]{80,})\n    ([0-9 ]+)stop", SPEC, re.MULTILINE).groups()  # type: ignore[union-attr]
    body = bytes.fromhex(dict(EXAMPLE)["12"])
    assert f"{int.from_bytes(body, 'big'):088b}" == bits.replace(" ", "")
    assert [int(group, 2) for group in bits.split()[:-1]] == [int(value) for value in values.split()]


def test_every_rate_code_is_in_the_table() -> None:
    table = SPEC[SPEC.index("### Rate codes") : SPEC.index("### Layout")]
    codes = {int(code): int(rate) for code, rate in re.findall(r"\| (\d+) \| (\d{4,}) (?=\|)", table)}
    assert codes == dict(enumerate(RATES_HZ, 1))


def test_every_block_type_is_in_the_table() -> None:
    found = re.findall(r"^\| 0x([0-9A-F]{2}) \| ([A-Z]+) +\| \d", SPEC, re.MULTILINE)
    assert {int(type_, 16): name for type_, name in found} == NAMES


def test_the_standard_layout_is_in_the_table() -> None:
    table = SPEC[SPEC.index("### Layout") : SPEC.index("### Globals")]
    numbers = [int(number) for number in re.findall(r"\| (\d+) +\|$", table, re.MULTILINE)]
    standard = Layout()
    assert numbers == [10, 1, 0, 16_000, 640, 500]
    assert numbers[:2] == [standard.index_bits, standard.rows]
    assert numbers[3:] == [standard.model_rate_hz, standard.frame_samples, standard.chunk_frames]


@pytest.mark.parametrize(
    "limit",
    [MAX_BODY_BYTES, MAX_SAMPLES, MAX_CHUNKS, MAX_DISTRIBUTIONS, MAX_FREQUENCIES],
    ids=["body", "samples", "chunks", "distributions", "frequencies"],
)
def test_limits_are_in_the_specification(limit: int) -> None:
    assert f"{limit}" in SPEC


def test_every_kind_of_error_has_broken_files() -> None:
    kinds = {json.loads(path.with_suffix(".json").read_text())["error"] for path in BROKEN}
    assert kinds == {"NotMlcError", "UnsupportedError", "CorruptError", "TruncatedError"}


def test_the_manual_page_is_well_formed() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        [groff, "-mandoc", "-Tutf8", "-ww", MANUAL], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "a few hundred bits per second" in done.stdout


def test_the_manual_page_has_the_same_example() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    example = text[text.index("8d 4d 4c  ") : text.index(".SH NOTES")]
    found = re.findall(r"^((?:[0-9a-f]{2} +)+)", example, re.MULTILINE)
    assert bytes.fromhex("".join(found)) == (VECTORS / "good" / "mixed-down-stereo.mlc").read_bytes()
