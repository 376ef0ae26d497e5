"""The messages that the manual explains are those that the program gives."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from mlcfile import Header, Packer

from melcodec_cli.cli import main
from tests.commands.conftest import make_stream
from tests.sounds import noise, wav

pytestmark = pytest.mark.slow

MANUAL = (Path(__file__).parents[2] / "man" / "melcodec.1").read_text()
PART = MANUAL.split(".SH DIAGNOSTICS", 1)[1].split("\n.SH ", 1)[0]
MESSAGES = [  # with "..." for a rest that varies
    heading.replace(r"\-", "-").replace(r"\(aq", "'")
    for heading in re.findall(r"^\.TP\n\.B (.+)$", PART, flags=re.MULTILINE)
]


def compressed(name: str = "talk.wav.mlc", change: Callable[[bytearray], bytes] = bytes) -> None:
    if not Path("talk.wav.mlc").exists():
        assert main(["compress", "-q", "talk.wav"]) == 0
    data = Path("talk.wav.mlc").read_bytes()
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(change(bytearray(data)))


def float_wav(samples: list[float]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def with_a_bad_byte(data: bytearray) -> bytes:
    data[50] ^= 1
    return bytes(data)


def with_links() -> None:
    Path("in").mkdir()
    for name in ("a.wav", "b.wav"):
        Path("in", name).write_bytes(wav(noise(0.1)))
    Path("in/a.wav.mlc").symlink_to("../elsewhere")


def two_of_a_name() -> None:
    compressed("coded/a.mlc")
    compressed("coded/a.wav.mlc")


def full_disk() -> None:
    Path("full.wav").write_bytes(wav(noise(0.1)))
    Path("full.wav.mlc").symlink_to("/dev/full")


def live() -> None:
    Path("live.mlc").write_bytes(Packer(Header(b"live", b"st", 16000, 1, None, packet_frames=1)).header_bytes)


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "existing output": (compressed, "compress talk.wav"),
    "no file": (lambda: None, "compress absent.wav"),
    "folder": (lambda: Path("recordings").mkdir(), "compress recordings"),
    "maybe the original": (compressed, "decompress talk.wav.mlc"),
    "MP4": (lambda: Path("notes.m4a").write_bytes(b"\0\0\0\x20ftypM4A "), "compress notes.m4a"),
    "no number": (
        lambda: Path("nan.wav").write_bytes(float_wav([0.0] * 8000 + [float("nan")] * 8000)),
        "compress nan.wav",
    ),
    "no audio": (lambda: Path("notes.txt").write_text("notes"), "compress notes.txt"),
    "empty": (Path("empty.wav").touch, "compress empty.wav"),
    "no mlc": (lambda: None, "decompress talk.wav"),
    "mlc": (compressed, "compress talk.wav.mlc"),
    "odd suffix": (compressed, "decompress talk.wav.mlc talk.docx"),
    "truncated": (lambda: compressed("cut.mlc", lambda data: bytes(data[:-12])), "decompress cut.mlc"),
    "damaged": (lambda: compressed("damaged.mlc", with_a_bad_byte), "decompress damaged.mlc"),
    "foreign": (lambda: Path("foreign.mlc").write_bytes(make_stream(1)), "decompress foreign.mlc"),
    "no model": (lambda: None, "compress --profile speech-48k talk.wav"),
    "full disk": (full_disk, "compress full.wav"),
    "collision": (two_of_a_name, "decompress -r coded -o out"),
    "link": (with_links, "compress -r in"),
    "middle": (lambda: Path("middle.mlc").write_bytes(b"frames"), "decompress --live middle.mlc"),
    "live": (live, "decompress live.mlc"),
    "raw": (lambda: None, "compress --raw x.pcm"),
    "batch": (lambda: None, "compress talk.wav absent.wav"),
}


def told(message: str) -> list[str]:
    """The manual's messages that this is."""
    return [
        line
        for line in MESSAGES
        if line == message or line.endswith("...") and message.startswith(line.removesuffix("..."))
    ]


@pytest.mark.parametrize("case", CASES)
def test_each_error_is_explained_in_the_manual(
    folder: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    arrange, command = CASES[case]
    arrange()
    capsys.readouterr()
    assert main(command.split()) != 0
    messages = [line.removeprefix("melcodec: ") for line in capsys.readouterr().err.splitlines()]
    message = messages[0] if case == "link" else messages[-1]
    assert len(told(message)) == 1, message


def test_the_manual_explains_no_error_that_is_not_provoked() -> None:
    assert len(MESSAGES) == len(CASES)
