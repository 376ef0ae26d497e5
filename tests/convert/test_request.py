"""Requests are plain values that can be sent to another machine, and know the format they ask for."""

import io
import pickle
from pathlib import Path

import pytest

from melcodec_cli.audio import RawFormat
from melcodec_cli.codec.compression import CompressSettings
from melcodec_cli.codec.decompression import DecompressSettings
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, Request, name_of
from melcodec_cli.errors import UsageProblem
from melcodec_cli.models.choose import ModelChoice


@pytest.mark.parametrize(
    "request_",
    [
        CompressRequest("a.wav", "a.mlc"),
        CompressRequest(
            "a.pcm",
            Path("a.mlc"),
            CompressSettings(True, 2.0, False),
            RawFormat(8000, 2, "s16be"),
            6000.0,
            {"effort": 4},
            True,
        ),
        DecompressRequest(
            Path("a.mlc"),
            "a.flac",
            DecompressSettings(start_s=1.0, end_s=2.0, conceal=True),
            "flac",
            "PCM_24",
            False,
            {"steps": 0},
            True,
        ),
    ],
    ids=["of defaults", "to compress", "to decompress"],
)
def test_requests_and_choices_of_a_model_travel(request_: Request) -> None:
    assert pickle.loads(pickle.dumps(request_)) == request_
    choice = ModelChoice("cpu", 2, None, "auto")
    assert pickle.loads(pickle.dumps(choice)) == choice


def test_the_form_is_the_one_that_is_said_or_that_the_name_asks_for() -> None:
    assert DecompressRequest("a.mlc", "a.flac").output_form == "flac"
    assert DecompressRequest("a.mlc", "a.flac", form="wav").output_form == "wav"
    assert DecompressRequest("a.mlc", "-").output_form == "wav"
    assert DecompressRequest("a.mlc", io.BytesIO()).output_form == "wav"
    with pytest.raises(UsageProblem, match="unknown audio format"):
        _ = DecompressRequest("a.mlc", "a.docx").output_form


def test_files_have_names_for_messages(tmp_path: Path) -> None:
    assert [name_of(file) for file in ("a.wav", Path("a.wav"), "-", io.BytesIO())] == [
        "a.wav",
        "a.wav",
        "-",
        "-",
    ]
    with open(tmp_path / "a", "wb") as file:
        assert name_of(file) == str(tmp_path / "a")
