"""The tokens of one stream of an .mlc file, in a row without a gap: what was lost is there as absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mlcfile
import numpy as np
from numpy.typing import NDArray

from melcodec_cli.codec.segments import ABSENT
from melcodec_cli.errors import MlcCorrupt

# Silence for more missing chunks than this in a row would be a recording made up.
MAX_CONCEALED_CHUNKS = 64

Indices = NDArray[np.integer[Any]]


class TokenReader:
    """Keeps account of what it reads and of what it cannot."""

    def __init__(self, reader: mlcfile.Reader):
        self.header = reader.header
        self.truncated: mlcfile.TruncatedError | None = None
        self.lost_s: list[tuple[float, float]] = []  # from and to, in the stream
        self.next_token = 0
        self._read_tokens = self._lost_tokens = 0
        self.read_bytes = len(reader.header_bytes.data)
        self.payload_bits = 0  # of indices of either kind
        self._reader = reader
        self._chunks = self._read_chunks()
        self._ahead = next(self._chunks, None)  # the tags stand before it

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._reader.tags)

    @property
    def silence_s(self) -> float:
        """What was lost, less what was read."""
        return self._seconds(self._lost_tokens - self._read_tokens)

    @property
    def is_empty(self) -> bool:
        return self._ahead is None

    @property
    def damage(self) -> list[mlcfile.CorruptError]:
        return self._reader.damage

    @property
    def end(self) -> mlcfile.End | None:
        """Once the stream was read to its end."""
        return self._reader.end

    def tokens_from(self, first_token: int, seekable: bool) -> Iterator[tuple[Indices, Indices]]:
        """indices (channel, token) and their globals (channel, count), stretch by stretch from `first_token` on."""
        self.next_token = first_token
        sought = first_token // self.header.layout.chunk_frames
        if sought and seekable:
            self._chunks = self._read_chunks(sought)
            self._ahead = next(self._chunks, None)
        while self._ahead is not None:
            chunk = self._ahead
            if chunk.first_frame > self.next_token:
                yield self._lose_until(chunk.first_frame)
            indices = chunk.indices[:, self.next_token - chunk.first_frame :, 0]
            if indices.shape[1]:
                self.next_token += indices.shape[1]
                self._read_tokens += indices.shape[1]
                yield indices, self._no_globals if chunk.globals_ is None else chunk.globals_
            self._ahead = next(self._chunks, None)
        if self.end and self.end.frames > self.next_token:
            yield self._lose_until(self.end.frames)
        elif not self.end and self.header.frames and self.header.frames > self.next_token:
            # Nothing follows that silence would have to keep in its place.
            self.lost_s.append((self._seconds(self.next_token), self._seconds(self.header.frames)))

    def _read_chunks(self, sought: int = 0) -> Iterator[mlcfile.Chunk]:
        try:
            if sought and not self._seek(sought):
                return
            for block in self._reader.blocks():
                self.read_bytes += len(block.data)
                if isinstance(block.content, mlcfile.Chunk):
                    frames = block.content.indices.shape[1]
                    self.payload_bits += frames * self.header.frame_bits + self.header.chunk_globals_bits
                    yield block.content
        except mlcfile.TruncatedError as error:
            self.truncated = error

    def _seek(self, chunk: int) -> bool:
        try:
            self._reader.seek_chunk(chunk)
        except ValueError:  # beyond the end, which no header told
            return False
        return True

    def _lose_until(self, token: int) -> tuple[Indices, Indices]:
        begin, self.next_token = self.next_token, token
        self._lost_tokens += token - begin
        self.lost_s.append((self._seconds(begin), self._seconds(token)))
        if token - begin > MAX_CONCEALED_CHUNKS * self.header.layout.chunk_frames:
            raise MlcCorrupt(f"{self._seconds(token - begin):.0f} s in a row are lost, too much to conceal")
        return np.full((self.header.coded_channels, token - begin), ABSENT), self._no_globals

    @property
    def _no_globals(self) -> Indices:
        count = self.header.globals_.count if self.header.globals_ else 0
        return np.zeros((self.header.coded_channels, count), np.int64)

    def _seconds(self, tokens: int) -> float:
        return tokens * self.header.layout.frame_samples / self.header.layout.model_rate_hz
