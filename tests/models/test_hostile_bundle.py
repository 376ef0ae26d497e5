"""Malicious bundles are refused with one line and exit status 5, before memory is allocated for their claims."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.layers.settings import ProfileError
from melcodec_cli.systems.fmel.config import Profile

pytestmark = pytest.mark.slow

Edit = Callable[[dict[str, Any]], None]


def edited(bundle: Path, target: Path, edit: Edit) -> Path:
    """A copy of `bundle` with its safetensors header changed by `edit`."""
    data = bundle.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    edit(header)
    text = json.dumps(header).encode()
    target.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return target


def with_profile(stage: str, setting: str, value: Any) -> Edit:
    def edit(header: dict[str, Any]) -> None:
        profile = json.loads(header["__metadata__"]["profile"])
        (profile[stage] if stage else profile)[setting] = value
        header["__metadata__"]["profile"] = json.dumps(profile)

    return edit


def refusal(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["bundle", "check", str(path)]) == ExitCode.MODEL
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable() and len(line) < 1000
    return line


@pytest.mark.parametrize(
    "stage, setting, value",
    [
        ("mel", "rate_hz", 10**9),
        ("mel", "fft_samples", 10**9),
        ("mel", "hop_samples", 0),
        ("mel", "hop_samples", -160),
        ("mel", "bands", 10**9),
        ("mel", "fft_samples", 65_536),  # of which a filter for each of 80 bands
        ("mel", "fft_samples", 32_768),  # as many for every 160 samples of a chunk
        ("mel", "floor", 0.0),
        ("mel", "floor", math.nan),
        ("mel", "low_hz", math.nan),
        ("mel", "high_hz", math.inf),
        ("mel", "high_hz", 10**400),
        ("coder", "codewords", 10**9),
        ("coder", "lookup_width", 10**9),
        ("coder", "token_width", 10**9),
        ("coder", "half_width", -1),
        ("coder", "decoder_token_blocks", 10**6),
        ("coder", "encoder_half_blocks", -1),
        ("coder", "encoder_frame_blocks", 65),
        ("coder", "frame_width", "wide"),
        ("timbre", "values", 10**9),
        ("timbre", "bits", 10**6),
        ("timbre", "blocks", 10**6),
        ("refiner", "width", 10**9),
        ("refiner", "dilations", [1] * 10**5),
        ("refiner", "dilations", [10**9]),
        ("refiner", "dilations", [0]),
        ("refiner", "noise", math.nan),
        ("refiner", "anchor", math.inf),
        ("refiner", "steps", 10**9),
        ("pitch", "bins", 10**9),
        ("pitch", "bins", 1),
        ("pitch", "low_hz", 0.0),
        ("pitch", "high_hz", math.nan),
        ("vocoder", "fft_samples", 10**9),
        ("vocoder", "fft_samples", 320),
        ("vocoder", "fft_samples", 321),
        ("vocoder", "fft_samples", 16_000),
        ("vocoder", "hop_frames", 3),
        ("vocoder", "noise_frames", 10**9),
        ("vocoder", "width", 0),
        ("vocoder", "blocks", 10**6),
        ("vocoder", "upsample_strides", []),
        ("vocoder", "upsample_kernels", [1, 1, 1, 1]),
        ("vocoder", "upsample_width", 10**9),
        ("vocoder", "name", "\x1b[31mred\n"),
        ("", "chunk_tokens", 10**9),
        ("", "chunk_tokens", True),
    ],
)
def test_an_invalid_profile_is_refused_and_the_setting_named(
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    setting: str,
    value: Any,
) -> None:
    path = edited(tiny_bundle, tmp_path / "bad.safetensors", with_profile(stage, setting, value))
    assert setting in refusal(path, capsys)


@pytest.mark.parametrize(
    "stage, setting, value, named",
    [
        ("coder", "token_width", 4096, "shape"),
        ("coder", "decoder_token_blocks", 64, "lack coder.decoder.token_stack"),
        ("coder", "decoder_token_blocks", 1, "contain coder.decoder.token_stack"),
        ("vocoder", "noise_frames", 16, "lack vocoder.noise"),
        ("", "refiner", None, "contain refiner"),
    ],
    ids=["other width", "more blocks", "fewer blocks", "a loop of noise", "no refiner"],
)
def test_weights_that_do_not_fit_the_profile_are_refused(
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    setting: str,
    value: Any,
    named: str,
) -> None:
    path = edited(tiny_bundle, tmp_path / "bad.safetensors", with_profile(stage, setting, value))
    assert named in refusal(path, capsys)


def _reshaped(header: dict[str, Any]) -> None:
    header["coder.quantiser.codebook"]["shape"].reverse()


def _claiming(header: dict[str, Any]) -> None:
    header["coder.mean"] |= {"shape": [1 << 50], "data_offsets": [0, 1 << 51]}


def _brain_floats(header: dict[str, Any]) -> None:
    header["coder.mean"]["dtype"] = "BF16"


def _unknown_type(header: dict[str, Any]) -> None:
    header["coder.mean"]["dtype"] = "F16\x1b[2J\n"


def _overlapping(header: dict[str, Any]) -> None:
    header["coder.mean"]["data_offsets"] = header["coder.deviation"]["data_offsets"]


@pytest.mark.parametrize("edit", [_reshaped, _claiming, _brain_floats, _unknown_type, _overlapping])
def test_a_header_that_lies_about_its_tensors_is_refused(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Edit
) -> None:
    refusal(edited(tiny_bundle, tmp_path / "bad.safetensors", edit), capsys)


def test_a_bundle_too_large_to_load_in_a_gigabyte_is_refused(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.safetensors"
    path.write_bytes(tiny_bundle.read_bytes())
    os.truncate(path, 200 << 20)  # which takes no room on the disk
    assert "its size of 200 MiB is over the limit of 192 MiB" in refusal(path, capsys)


def test_weights_that_are_not_finite_numbers_are_refused(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny_bundle.read_bytes()
    path = tmp_path / "nan.safetensors"
    path.write_bytes(data[:-2] + struct.pack("<e", math.nan))
    assert "finite" in refusal(path, capsys)


@pytest.mark.parametrize(
    "content",
    [
        b'{"__metadata__":' + b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b'{"__metadata__":{"format":"melcodec-bundle-1\\u001b[2J\\n"}}',
        b'{"__metadata__":{"format":"melcodec-bundle-1","name":"' + b"x" * 3_000_000 + b'"}}',
        b'{"__metadata__":' + b"9" * 5000 + b"}",
        b"{" + b" " * 4_000_000 + b"}",
    ],
    ids=["nested lists", "nested objects", "escapes", "a long name", "a long number", "blanks"],
)
def test_a_header_made_to_exhaust_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(struct.pack("<Q", len(content)) + content)
    refusal(path, capsys)


def test_a_name_with_escapes_prints_harmlessly(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def edit(header: dict[str, Any]) -> None:
        header["__metadata__"]["name"] = "\x1b]0;owned\x07\nroot# \u202egpj"

    path = edited(tiny_bundle, tmp_path / "named.safetensors", edit)
    for command in ("check", "show"):
        assert main(["bundle", command, str(path)]) == ExitCode.OK
        assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_subnormal=False),  # training, in this process, may have turned them off
    st.text(max_size=5),
    st.lists(st.integers(), max_size=9),
)
SETTINGS = [
    (stage, key) for stage, part in Profile().to_dict().items() if isinstance(part, dict) for key in part
]


@given(st.dictionaries(st.sampled_from(SETTINGS), VALUES, min_size=1, max_size=3))
def test_any_settings_make_a_profile_within_limits_or_are_refused(
    changes: dict[tuple[str, str], Any],
) -> None:
    values = Profile().to_dict()
    for (stage, key), value in changes.items():
        values[stage][key] = value
    try:
        profile = Profile.from_dict(values)
    except ProfileError as error:
        assert str(error)
    else:
        assert 0 < profile.token_samples < 1 << 20 and profile.coder.index_bits <= 16
