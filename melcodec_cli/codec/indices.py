"""Reads the indices of one stream of an .mlc file, frame after frame; lost frames are marked absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mlcfile
import numpy as np
from numpy.typing import NDArray

from melcodec_cli.errors import MlcCorrupt
from melcodec_cli.systems.system import ABSENT

# With more missing chunks than this in a row, the recording would be mostly invented.
MAX_CONCEALED_CHUNKS = 64

Indices = NDArray[np.integer[Any]]


class IndexReader:
    """Reads a stream's indices, and keeps account of what was read and what was lost."""

    def __init__(self, reader: mlcfile.Reader):
        self.header = reader.header
        self.truncated: mlcfile.TruncatedError | None = None
        self.lost_s: list[tuple[float, float]] = []  # (from, to) in the stream
        self.next_frame = 0
        self._read_frames = self._lost_frames = 0
        self.read_bytes = len(reader.header_bytes.data)
        self.payload_bits = 0  # of indices and global indices
        self._reader = reader
        self._chunks = self._read_chunks()
        self._ahead = next(self._chunks, None)  # reads the tags too, which come before it

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._reader.tags)

    @property
    def silence_s(self) -> float:
        """Lost seconds minus read seconds."""
        return self._seconds(self._lost_frames - self._read_frames)

    @property
    def is_empty(self) -> bool:
        return self._ahead is None

    @property
    def damage(self) -> list[mlcfile.CorruptError]:
        return self._reader.damage

    @property
    def end(self) -> mlcfile.End | None:
        """Totals, once the stream has been read to its end."""
        return self._reader.end

    def frames_from(self, first_frame: int, seekable: bool) -> Iterator[tuple[Indices, Indices]]:
        """Yield indices (channel, frame, row) and their globals (channel, count), in stretches, from `first_frame`."""
        self.next_frame = first_frame
        sought = first_frame // self.header.layout.chunk_frames
        if sought and seekable:
            self._chunks = self._read_chunks(sought)
            self._ahead = next(self._chunks, None)
        while self._ahead is not None:
            chunk = self._ahead
            if chunk.first_frame > self.next_frame:
                yield self._lose_until(chunk.first_frame)
            indices = chunk.indices[:, self.next_frame - chunk.first_frame :]
            if indices.shape[1]:
                self.next_frame += indices.shape[1]
                self._read_frames += indices.shape[1]
                yield indices, self._no_globals if chunk.globals_ is None else chunk.globals_
            self._ahead = next(self._chunks, None)
        if self.end and self.end.frames > self.next_frame:
            yield self._lose_until(self.end.frames)
        elif not self.end and self.header.frames and self.header.frames > self.next_frame:
            # Nothing follows, so no silence is needed to keep it in its place.
            self.lost_s.append((self._seconds(self.next_frame), self._seconds(self.header.frames)))

    def _read_chunks(self, sought: int = 0) -> Iterator[mlcfile.Chunk]:
        try:
            if sought and not self._seek(sought):
                return
            for block in self._reader.blocks():
                self.read_bytes += len(block.data)
                if isinstance(block.content, mlcfile.Chunk):
                    self.payload_bits += block.content.codes.index_bits + self.header.chunk_globals_bits
                    yield block.content
        except mlcfile.TruncatedError as error:
            self.truncated = error

    def _seek(self, chunk: int) -> bool:
        try:
            self._reader.seek_chunk(chunk)
        except ValueError:  # beyond the end, which the header did not give
            return False
        return True

    def _lose_until(self, frame: int) -> tuple[Indices, Indices]:
        begin, self.next_frame = self.next_frame, frame
        self._lost_frames += frame - begin
        self.lost_s.append((self._seconds(begin), self._seconds(frame)))
        if frame - begin > MAX_CONCEALED_CHUNKS * self.header.layout.chunk_frames:
            raise MlcCorrupt(
                f"{self._seconds(frame - begin):.0f} s in a row are missing, too much to conceal"
            )
        shape = (self.header.coded_channels, frame - begin, self.header.layout.rows)
        return np.full(shape, ABSENT), self._no_globals

    @property
    def _no_globals(self) -> Indices:
        count = self.header.globals_.count if self.header.globals_ else 0
        return np.zeros((self.header.coded_channels, count), np.int64)

    def _seconds(self, frames: int) -> float:
        return frames * self.header.layout.frame_samples / self.header.layout.model_rate_hz
