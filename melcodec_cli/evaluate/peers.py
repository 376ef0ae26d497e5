"""Other codecs, run as the programs that are installed; and as references the original and its telephone band."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
import wave
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from melcodec_cli.errors import MelcodecError, UsageProblem
from melcodec_cli.evaluate.clips import Clip, read_speech
from melcodec_cli.evaluate.contenders import Coded, Contender
from melcodec_cli.evaluate.ogg import packet_bytes
from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech, resampled

NARROW_HZ = 8000
# By mode, bits of a frame; its program rounds every frame up to bytes.
CODEC2_FRAME_BITS = {"450": 18, "700C": 28, "1200": 48, "2400": 48, "3200": 64}
OPUS_KBIT_PER_S = (6, 8)  # the lowest that it takes, and one beside the patch codec
OPUS_MUSIC_KBIT_PER_S = (6, 12)  # the lowest, and twice that, where music begins to sound like itself
# Narrow-band qualities: the lowest there is, and the one that most use at a low rate.
SPEEX_QUALITIES = {"speex 2.15k": 0, "speex 4k": 1}


class Program(Contender):
    """A codec that is a pair of programs."""

    kind = "peer"
    rate_hz: int | None = RATE_HZ  # what it is fed with; None: the clip's own rate

    def code(self, clip: Clip, speech: Speech) -> Coded:
        with tempfile.TemporaryDirectory(prefix="melcodec-") as name:
            folder = Path(name)
            original, coded, decoded = (folder / each for each in ("original.wav", "coded", "decoded.wav"))
            fed_hz = self.rate_hz or speech.rate_hz
            write_wav(original, resampled(speech.sound, speech.rate_hz, fed_hz), fed_hz)
            encode_s = _timed(lambda: self.encode(original, coded))
            decode_s = _timed(lambda: self.decode(coded, decoded))
            total_bits = 8 * coded.stat().st_size
            audio = read_speech(decoded, speech.rate_hz)
            return Coded(audio, total_bits, self.payload_bits(coded), encode_s, decode_s)

    @abstractmethod
    def encode(self, wav: Path, coded: Path) -> None: ...

    @abstractmethod
    def decode(self, coded: Path, wav: Path) -> None: ...

    @abstractmethod
    def payload_bits(self, coded: Path) -> int: ...

    def run(self, *command: object) -> None:
        words = [str(word) for word in command]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise MelcodecError(f"{words[0]} failed: {''.join(last) or done.returncode}")


class Codec2(Program):
    """Its files are frames, each rounded up to bytes, and nothing else."""

    rate_hz = NARROW_HZ

    def __init__(self, mode: str):
        self.name = f"codec2 {mode}"
        self._mode = mode

    def encode(self, wav: Path, coded: Path) -> None:
        raw = wav.with_suffix(".raw")
        with wave.open(str(wav)) as file:
            raw.write_bytes(file.readframes(file.getnframes()))
        self.run("c2enc", self._mode, raw, coded)

    def decode(self, coded: Path, wav: Path) -> None:
        raw = wav.with_suffix(".raw")
        self.run("c2dec", self._mode, coded, raw)
        samples = np.fromfile(raw, "<i2").astype(np.float32)
        write_wav(wav, samples / np.float32(32768), NARROW_HZ)

    def payload_bits(self, coded: Path) -> int:
        frame_bits = CODEC2_FRAME_BITS[self._mode]
        return coded.stat().st_size // -(-frame_bits // 8) * frame_bits


class Opus(Program):
    """It chooses for itself how much of the band to code at its bit rate."""

    rate_hz = None

    def __init__(self, kbit_per_s: int, music: bool = False):
        self.name = f"opus {kbit_per_s}k{' --music' if music else ''}"
        self._kbit_per_s = kbit_per_s
        self._tuning = ["--music"] if music else []

    def encode(self, wav: Path, coded: Path) -> None:
        rate = ("--bitrate", self._kbit_per_s)
        self.run("opusenc", "--quiet", *rate, *self._tuning, "--padding", "0", wav, coded)

    def decode(self, coded: Path, wav: Path) -> None:
        self.run("opusdec", "--quiet", coded, wav)  # at the rate of what was coded

    def payload_bits(self, coded: Path) -> int:
        return 8 * packet_bytes(coded.read_bytes(), headers=2)


class Speex(Program):
    rate_hz = NARROW_HZ

    def __init__(self, name: str, quality: int):
        self.name = name
        self._quality = quality

    def encode(self, wav: Path, coded: Path) -> None:
        self.run("speexenc", "--narrowband", "--quality", self._quality, wav, coded)

    def decode(self, coded: Path, wav: Path) -> None:
        self.run("speexdec", coded, wav)

    def payload_bits(self, coded: Path) -> int:
        return 8 * packet_bytes(coded.read_bytes(), headers=2)


class NarrowBand(Contender):
    """The original, sampled at 8 kHz: what narrow-band codecs could reach if they changed nothing."""

    kind = "reference"
    name = "original at 8 kHz"

    def code(self, clip: Clip, speech: Speech) -> Coded:
        narrow = resampled(speech.sound, speech.rate_hz, NARROW_HZ)
        audio = resampled(narrow, NARROW_HZ, speech.rate_hz)[: len(speech.sound)]
        return Coded(audio, 0, 0, 0.0, 0.0)


class Original(Contender):
    """The original itself, for judges that hear the decoded speech alone: what they would say of a perfect codec."""

    kind = "reference"
    name = "original"

    def code(self, clip: Clip, speech: Speech) -> Coded:
        return Coded(speech.sound, 0, 0, 0.0, 0.0)


@dataclass(frozen=True)
class Family:
    programs: tuple[str, ...]
    contenders: Callable[[str], list[Contender]]  # for clips of this content
    narrow: bool


def _opus(content: str) -> list[Contender]:
    if content == "speech":
        return [Opus(kbit_per_s) for kbit_per_s in OPUS_KBIT_PER_S]
    return [Opus(kbit_per_s, music=True) for kbit_per_s in OPUS_MUSIC_KBIT_PER_S]


def _codec2_modes(_: str) -> list[Contender]:
    """Those that this build knows; its usage begins "usage: c2enc 3200|2400|..."."""
    said = subprocess.run(["c2enc"], capture_output=True, text=True, check=False)
    known = re.search(r"c2enc (\S+)", said.stderr + said.stdout)
    modes = known[1].split("|") if known else []
    return [Codec2(mode) for mode in CODEC2_FRAME_BITS if mode in modes]


FAMILIES = {
    "codec2": Family(("c2enc", "c2dec"), _codec2_modes, narrow=True),
    "opus": Family(("opusenc", "opusdec"), _opus, narrow=False),
    "speex": Family(
        ("speexenc", "speexdec"),
        lambda _: [Speex(name, quality) for name, quality in SPEEX_QUALITIES.items()],
        narrow=True,
    ),
    "original": Family((), lambda _: [Original()], narrow=False),
}


def peers(names: Sequence[str], content: str = "speech") -> tuple[list[Contender], dict[str, str]]:
    """The contenders of these families, and why others are left out, by name."""
    contenders: list[Contender] = []
    missing: dict[str, str] = {}
    narrow = False
    for name in names:
        if name not in FAMILIES:
            raise UsageProblem(f"no peer is called {name!r}; there are {', '.join(FAMILIES)}")
        family = FAMILIES[name]
        absent = [program for program in family.programs if shutil.which(program) is None]
        if absent:
            missing[name] = f"{' and '.join(absent)} not installed"
            continue
        found = family.contenders(content)
        if not found:
            missing[name] = f"{family.programs[0]} knows none of the modes {', '.join(CODEC2_FRAME_BITS)}"
        contenders += found
        narrow |= family.narrow
    return contenders + ([NarrowBand()] if narrow else []), missing


def write_wav(path: Path, audio: Audio, rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.clip(np.round(audio * 32768), -32768, 32767).astype("<i2").tobytes())


def _timed(work: Callable[[], None]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s
