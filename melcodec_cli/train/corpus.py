"""Training corpus: folders of audio, decoded once into one memory-mapped file of 16-bit samples.

Clips lie one after the other, sorted by split, source and speaker, so that a crop may run from one clip into the next
of the same voice and no batch is padded.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.train.bandwidth import bandwidth_hz

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf"}
DEV_SHARE = 1 / 20  # of speakers, where no manifest says which
TRIM_DB = -50.0  # below the clip's peak: trimmed at both ends ...
TRIM_MARGIN_S = 0.15  # ... but for this much


@dataclass(frozen=True)
class Clip:
    path: str
    source: str
    speaker: str
    split: str
    licence: str
    speed: float = 1.0


@dataclass(frozen=True)
class Corpus:
    """Decoded clips: `audio[start : start + length]` for each row of the tables."""

    audio: NDArray[np.int16]  # memory map
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    bandwidths_hz: NDArray[np.float64]
    clips: list[Clip]
    rate_hz: int
    fingerprint: str

    def hours(self, split: str) -> float:
        """Of recordings, not counting copies at other speeds."""
        total = sum(
            int(n) for n, c in zip(self.lengths, self.clips, strict=True) if c.split == split and c.speed == 1
        )
        return total / self.rate_hz / 3600

    def licences(self) -> dict[str, str]:
        return {clip.source: clip.licence for clip in self.clips}


def index_folders(folders: list[Path]) -> list[Clip]:
    """Clips of every folder; a manifest.csv in it names speaker, split and licence, else the folder's names do."""
    clips: list[Clip] = []
    for folder in folders:
        manifest = folder / "manifest.csv"
        if manifest.is_file():
            with manifest.open(newline="", encoding="utf-8") as rows:
                for row in csv.DictReader(rows):
                    source = row.get("source") or folder.name
                    speaker = f"{source}/{row.get('speaker') or ''}"
                    split = row.get("split") or _split_of(speaker)
                    clips.append(
                        Clip(str(folder / row["path"]), source, speaker, split, row.get("licence") or "")
                    )
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
                speaker = str(path.parent)
                clips.append(Clip(str(path), folder.name, speaker, _split_of(speaker), ""))
    return clips


def _split_of(speaker: str) -> str:
    """The same speaker lands in the same split on every machine and in every run."""
    digest = hashlib.sha256(speaker.encode()).digest()
    return "dev" if int.from_bytes(digest[:4], "big") < DEV_SHARE * 2**32 else "train"


def with_speeds(clips: list[Clip], copies: int) -> list[Clip]:
    """Each training clip again at `copies` other speeds within +-15 %: pitch and formants of other speakers."""
    varied = list(clips)
    for clip in clips:
        if clip.split != "train":
            continue
        digest = hashlib.sha256(os.path.basename(clip.path).encode()).digest()
        for copy in range(copies):
            sign = 1 if (digest[0] + copy) % 2 else -1
            speed = round(1 + sign * (0.06 + 0.09 * digest[1 + copy] / 255), 3)
            varied.append(
                Clip(clip.path, clip.source, f"{clip.speaker}@{speed:.1f}", clip.split, clip.licence, speed)
            )
    return varied


def open_corpus(folders: list[Path], cache: Path, rate_hz: int, speed_copies: int = 0) -> Corpus:
    """Decode the folders into `cache`, or open what an earlier call left there."""
    clips = with_speeds(index_folders(folders), speed_copies)
    if not clips:
        raise ValueError(f"no audio found in {', '.join(map(str, folders))}")
    clips.sort(key=lambda c: (c.split, c.source, c.speaker, c.path))
    key = hashlib.sha256(f"4 {rate_hz}".encode())
    for clip in clips:
        size = os.path.getsize(clip.path) if os.path.exists(clip.path) else -1
        key.update(f"{os.path.basename(clip.path)} {size} {clip.split} {clip.speed}\n".encode())
    fingerprint = key.hexdigest()[:16]
    home = cache / fingerprint
    if not (home / "index.json").exists():
        _decode_all(clips, home, rate_hz)
    return _open(home, fingerprint)


def _decode_all(clips: list[Clip], home: Path, rate_hz: int) -> None:
    from tqdm import tqdm

    home.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    start = 0
    temporary = home / "audio.i16.part"
    with temporary.open("wb") as out, ProcessPoolExecutor() as pool:
        decoded = pool.map(_decode, clips, [rate_hz] * len(clips), chunksize=32)
        for clip, result in tqdm(zip(clips, decoded, strict=True), "decoding", len(clips), file=sys.stderr):
            if isinstance(result, str):
                print(f"melcodec: {clip.path}: left out: {result}", file=sys.stderr)
                continue
            samples, measured_hz = result
            out.write(samples.tobytes())
            rows.append(
                {**clip.__dict__, "start": start, "length": len(samples), "bandwidth_hz": round(measured_hz)}
            )
            start += len(samples)
    os.replace(temporary, home / "audio.i16")
    part = home / "index.json.part"
    part.write_text(json.dumps({"rate_hz": rate_hz, "clips": rows}))
    os.replace(part, home / "index.json")  # its presence says that the cache is complete


def _decode(clip: Clip, rate_hz: int) -> tuple[NDArray[np.int16], float] | str:
    """Samples and their bandwidth in Hz, or why there are none."""
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
        mono = samples.mean(axis=1)
        mono = soxr.resample(mono, rate * clip.speed, rate_hz)
    except Exception as error:  # a corpus of other people's files: any of them may be broken in any way
        return str(error) or type(error).__name__
    trimmed = _trim(np.asarray(mono, np.float32), rate_hz)
    if len(trimmed) < rate_hz // 4:
        return "shorter than a quarter of a second"
    samples16 = np.clip(np.rint(trimmed * 32767), -32768, 32767).astype(np.int16)
    return samples16, bandwidth_hz(samples16, rate_hz)


def _trim(mono: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    loud = np.flatnonzero(np.abs(mono) > np.abs(mono).max(initial=0.0) * 10 ** (TRIM_DB / 20))
    if not len(loud):
        return mono[:0]
    margin = int(TRIM_MARGIN_S * rate_hz)
    return mono[max(0, loud[0] - margin) : loud[-1] + margin]


def _open(home: Path, fingerprint: str) -> Corpus:
    index = json.loads((home / "index.json").read_text())
    rows = index["clips"]
    fields = Clip.__dataclass_fields__
    return Corpus(
        audio=np.memmap(home / "audio.i16", np.int16, mode="r"),
        starts=np.array([row["start"] for row in rows], np.int64),
        lengths=np.array([row["length"] for row in rows], np.int64),
        bandwidths_hz=np.array([row["bandwidth_hz"] for row in rows], np.float64),
        clips=[Clip(**{name: row[name] for name in fields}) for row in rows],
        rate_hz=index["rate_hz"],
        fingerprint=fingerprint,
    )
