"""Reads a live stream chunk by chunk, as `reader.py` reads other streams block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .blocks import CODES, Block, End
from .errors import CorruptError, TruncatedError
from .header import Header
from .header_bytes import HeaderBytes
from .live import CHECK_BYTES, MISMATCH, NUMBERS, cut_off, is_intact, live_seed, unpack_packet
from .payload import Codes
from .progress import Progress
from .source import Source


class LiveChunks:
    """Iterating yields every intact chunk as a block. `note` gets each damage, and may raise it.

    What a listener would still have heard of a damaged chunk is lost here. The last chunk has no check if it is short.
    """

    def __init__(
        self,
        source: Source,
        header: Header,
        header_bytes: HeaderBytes,
        progress: Progress,
        note: Callable[[CorruptError], None],
    ) -> None:
        self._source, self._header, self._progress, self._note = source, header, progress, note
        self._seed = live_seed(header_bytes)
        self._size = header.live_chunk_bytes + CHECK_BYTES

    def __iter__(self) -> Iterator[Block]:
        source = self._source
        while len(data := source.peek(self._size)) == self._size:
            if is_intact(data, self._seed):
                yield from self._chunk(data)
            else:
                self._damaged(MISMATCH)
                self._find()
        whole = self._header.live_chunk_bytes
        used = whole if len(data) >= whole else len(data) - len(data) % self._header.packet_bytes
        at_check = used == whole
        if truncated := at_check or used < len(data):
            self._note(self._placed(TruncatedError(cut_off(at_check))))
        if used:
            yield from self._block(data[:used], data[:used], self._progress.chunk)
        source.read(self._size)
        if not truncated:
            self._end()

    def _chunk(self, data: bytes) -> Iterator[Block]:
        """A chunk whose CRC is right."""
        progress = self._progress
        ahead = (data[-CHECK_BYTES] - progress.chunk) % NUMBERS
        if ahead:
            self._damaged(f"{ahead} live chunks are missing")
        yield from self._block(data[:-CHECK_BYTES], data, progress.chunk + ahead)

    def _block(self, packets: bytes, data: bytes, number: int) -> Iterator[Block]:
        header, progress, offset = self._header, self._progress, self._source.offset
        size = header.packet_bytes
        pieces = [
            unpack_packet(header, packets[start : start + size]) for start in range(0, len(packets), size)
        ]
        self._source.read(len(data))
        whole = [piece for piece in pieces if piece is not None]
        if len(whole) < len(pieces):
            self._note(self._placed(CorruptError("the bits that fill a packet are not 0"), offset))
            progress.pass_over(number + 1)
            return
        indices = np.concatenate(whole, 1)
        codes = Codes(indices.shape[1], indices, None, indices.shape[1] * header.frame_bits)
        yield Block(CODES, packets, data, offset, number, progress.take_live(number, codes))

    def _find(self) -> None:
        """Goes to the next intact chunk, or to the end."""
        passed = 0
        while len(data := self._source.peek(self._size)) == self._size and not is_intact(data, self._seed):
            self._source.read(1)
            passed += 1
        if len(data) < self._size:
            self._progress.pass_over(self._progress.chunk + max(1, passed // self._size))
            self._source.read(len(data))

    def _damaged(self, message: str) -> None:
        self._note(self._placed(CorruptError(message)))

    def _placed(self, error: CorruptError, offset: int | None = None) -> CorruptError:
        number = self._progress.frames // self._header.layout.chunk_frames
        error.offset = self._source.offset if offset is None else offset
        error.chunk, error.start_s = number, self._header.chunk_start_s(number)
        return error

    def _end(self) -> None:
        frames, layout = self._progress.frames, self._header.layout
        samples = frames * layout.frame_samples * self._header.rate_hz // layout.model_rate_hz
        self._progress.end = End(frames, samples, 0, verified=False)
