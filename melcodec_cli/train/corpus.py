"""Training corpus: folders of audio, decoded once into one memory-mapped file of 16-bit samples.

Clips are stored in sequence, sorted by split, source and speaker, so that a crop can run on into the next clip of the
same voice and no batch needs padding.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.errors import UsageProblem
from melcodec_cli.files.atomic import output_file
from melcodec_cli.train.bandwidth import bandwidth_hz
from melcodec_cli.train.folders import Clip, as_bytes, index_folders, with_speeds

TRIM_DB = -50.0  # relative to the clip's peak: quieter ends are trimmed ...
TRIM_MARGIN_S = 0.15  # ... except this much


@dataclass(frozen=True)
class Corpus:
    """Decoded clips: row i is `audio[start : start + length]`."""

    audio: NDArray[np.int16]  # memory map
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    bandwidths_hz: NDArray[np.float64]
    clips: list[Clip]
    left_out: dict[str, str]  # path of each file left out -> reason
    rate_hz: int
    fingerprint: str
    home: Path | None = None  # the folder of its cache

    def hours(self, split: str) -> float:
        """Hours of recordings, not counting copies at other speeds."""
        total = sum(
            int(n) for n, c in zip(self.lengths, self.clips, strict=True) if c.split == split and c.speed == 1
        )
        return total / self.rate_hz / 3600

    def licences(self) -> dict[str, str]:
        """Licences of each source; a source may have several."""
        pairs = sorted({(clip.source, clip.licence) for clip in self.clips})
        return {source: " and ".join(b for a, b in pairs if a == source) for source, _ in pairs}


def open_corpus(
    folders: list[Path],
    cache: Path,
    rate_hz: int,
    speed_copies: int = 0,
    without: Collection[str] = (),
) -> Corpus:
    """Decode the folders into `cache`, or open what an earlier call left there.

    Only samples come from the cache; source, speaker, split, licence and text are read from the folders again.
    without: sources that are to be left out.
    """
    indexed = [clip for clip in index_folders(folders) if clip.source not in without]
    clips = with_speeds(indexed, speed_copies)
    if not clips:
        raise UsageProblem(f"no audio found in {', '.join(map(str, folders))}")
    clips.sort(key=lambda c: (c.split, c.source, c.speaker, c.path))
    key = hashlib.sha256(f"5 {rate_hz}".encode())
    for clip in clips:
        size = os.path.getsize(clip.path) if os.path.exists(clip.path) else -1
        key.update(as_bytes(f"{os.path.basename(clip.path)} {size} {clip.split} {clip.speed}\n"))
    fingerprint = key.hexdigest()[:16]
    home = cache / fingerprint
    index = _cached(home, clips) or _decode_all(clips, home, rate_hz)
    return _open(home, clips, index, fingerprint)


def _cached(home: Path, clips: list[Clip]) -> dict[str, Any] | None:
    """Index of an earlier decoding, if it has the same clips in the same order."""
    if not (home / "index.json").exists():
        return None
    index: dict[str, Any] = json.loads((home / "index.json").read_text())
    return index if len(_kept(clips, index["clips"])) == len(index["clips"]) else None


def _kept(clips: list[Clip], rows: list[dict[str, Any]]) -> list[Clip]:
    """The clip of each row.  Both are in the same order; clips without a row were left out."""
    kept: list[Clip] = []
    for clip in clips:
        row = rows[len(kept)] if len(kept) < len(rows) else None
        if row and row["speed"] == clip.speed and f"{os.sep}{row['path']}".endswith(os.sep + clip.inside):
            kept.append(clip)
    return kept


def _decode_all(clips: list[Clip], home: Path, rate_hz: int) -> dict[str, Any]:
    from tqdm import tqdm

    home.mkdir(parents=True, exist_ok=True)
    (home / "index.json").unlink(missing_ok=True)
    rows: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    start = 0
    pool = ProcessPoolExecutor()
    try:
        # Fork before opening the file, so that no worker can keep it open after this process ends.
        decoded = pool.map(_decode, clips, [rate_hz] * len(clips), chunksize=32)
        with output_file(home / "audio.i16", force=True) as out:
            for clip, result in tqdm(
                zip(clips, decoded, strict=True), "decoding", len(clips), file=sys.stderr
            ):
                if isinstance(result, str):
                    left_out.setdefault(clip.inside, result)
                    continue
                samples, measured_hz = result
                out.write(samples.tobytes())
                row = {"path": clip.path, "speed": clip.speed, "start": start, "length": len(samples)}
                rows.append({**row, "bandwidth_hz": round(measured_hz)})
                start += len(samples)
    finally:
        pool.shutdown(cancel_futures=True)
    index = {"rate_hz": rate_hz, "clips": rows, "left_out": left_out}
    with output_file(home / "index.json", force=True) as out:  # written last: it marks the cache as complete
        out.write(json.dumps(index).encode())
    return index


def _decode(clip: Clip, rate_hz: int) -> tuple[NDArray[np.int16], float] | str:
    """Samples and their bandwidth in Hz, or the reason why there are none."""
    import soundfile

    from melcodec_cli.audio.resample import resampled

    try:
        with open(clip.path, "rb") as file:  # soundfile cannot open names that are not UTF-8
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        mono = resampled(samples.mean(axis=1, keepdims=True), rate * clip.speed, rate_hz)[:, 0]
    except Exception as error:  # any file of a corpus may be broken in any way
        return str(error) or type(error).__name__
    trimmed = _trim(mono, rate_hz)
    if len(trimmed) < rate_hz // 4:
        return "shorter than a quarter of a second"
    # Resampling a clipped recording overshoots; clipping it again would make it look like full band.
    trimmed /= max(1.0, np.abs(trimmed).max())
    samples16 = np.rint(trimmed * 32767).astype(np.int16)
    return samples16, bandwidth_hz(samples16, rate_hz)


def _trim(mono: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    loud = np.flatnonzero(np.abs(mono) > np.abs(mono).max(initial=0.0) * 10 ** (TRIM_DB / 20))
    if not len(loud):
        return mono[:0]
    margin = int(TRIM_MARGIN_S * rate_hz)
    return mono[max(0, loud[0] - margin) : loud[-1] + margin]


def _open(home: Path, clips: list[Clip], index: dict[str, Any], fingerprint: str) -> Corpus:
    rows = index["clips"]
    kept = _kept(clips, rows)
    reasons = index.get("left_out", {})
    left_out = {clip.path for clip in clips if clip.speed == 1} - {clip.path for clip in kept}
    return Corpus(
        audio=np.memmap(home / "audio.i16", np.int16, mode="r") if rows else np.zeros(0, np.int16),
        starts=np.array([row["start"] for row in rows], np.int64),
        lengths=np.array([row["length"] for row in rows], np.int64),
        bandwidths_hz=np.array([row["bandwidth_hz"] for row in rows], np.float64),
        clips=kept,
        left_out={
            clip.path: reasons.get(clip.inside, "could not be decoded")
            for clip in clips
            if clip.path in left_out
        },
        rate_hz=index["rate_hz"],
        fingerprint=fingerprint,
        home=home,
    )
