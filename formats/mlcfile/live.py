"""Live streams: packets of frames, as they come, and a check after every chunk of them.

Nothing here reads or writes: bytes and frames go in, and what they make comes out at once.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .errors import CorruptError, TruncatedError
from .header import Header
from .header_bytes import HeaderBytes, pack_header
from .payload import Indices, bits_of, check_indices, indices_of

CHECK_BYTES = 3  # the chunk's number, then a CRC-16
CRC_START = 0xFFFF  # CRC-16 of polynomial 0x1021, high bit first
NUMBERS = 256  # of chunks, after which they begin again

MISMATCH = "the check of a live chunk does not match"


class Piece(NamedTuple):
    """Frames of a live stream: one packet, or any number that are lost."""

    frames: int
    indices: Indices | None  # (coded channel, frame, row); None if lost


class Packer:
    """Turns frames into packets.  The stream begins with `header_bytes`, and may end after any packet."""

    def __init__(self, header: Header) -> None:
        assert header.packet_frames is not None
        self.header, self.packet_frames = header, header.packet_frames
        packed = pack_header(header)
        self.header_bytes = packed.data
        self._seed = live_seed(packed)
        self._chunk = b""  # packets since the last check
        self._number = 0

    def pack(self, indices: ArrayLike) -> bytes:
        """One packet of indices (coded channel, packet frames, row), with the check of a chunk that it completes."""
        layout = self.header.layout
        shape = (self.header.coded_channels, self.packet_frames, layout.rows)
        packet = pack_packet(self.header, check_indices("indices", indices, shape, layout.index_bits))
        self._chunk += packet
        if len(self._chunk) < self.header.live_chunk_bytes:
            return packet
        check = check_of(self._chunk, self._number, self._seed)
        self._chunk, self._number = b"", self._number + 1
        return packet + check


class Unpacker:
    """Turns bytes, however they are cut, into packets as soon as each is complete, and finds its way after damage.

    By the time that a check fails, the packets of its chunk have been passed on.  If the chunk's number is right, only
    values were damaged.  Otherwise bytes are missing, and packets count as lost up to the end of an intact chunk.
    """

    def __init__(self, header: Header, header_bytes: HeaderBytes) -> None:
        assert header.packet_frames is not None
        self.header, self.packet_frames = header, header.packet_frames
        self.frames = 0  # passed on or lost so far
        self.damage: list[CorruptError] = []  # whoever has read it may clear it
        self._seed = live_seed(header_bytes)
        self._held = b""
        self._chunk = b""  # packets since the last check
        self._number = 0  # of the chunk
        self._has_gap = False  # it lacks a packet that is known to be lost
        self._window: bytes | None = None  # while searching: bytes in which an intact chunk may begin
        self._passed = 0  # bytes since the search began

    @property
    def wanted(self) -> int:
        """How many bytes the next packet or check still needs."""
        if self._window is not None:
            return self.header.packet_bytes
        return (CHECK_BYTES if self._at_check else self.header.packet_bytes) - len(self._held)

    @property
    def _at_check(self) -> bool:
        return len(self._chunk) == self.header.live_chunk_bytes

    def feed(self, data: bytes) -> list[Piece]:
        self._held += data
        pieces: list[Piece] = []
        while self._held and (self._window is not None or self.wanted <= 0):
            if self._window is not None:
                pieces += self._searched(self._window)
            elif self._at_check:
                pieces += self._checked()
            else:
                packet = self._take(self.header.packet_bytes)
                self._chunk += packet
                pieces.append(self._counted(self.packet_frames, unpack_packet(self.header, packet)))
        return pieces

    def lose(self) -> Piece:
        """Counts one packet as lost, with its check, where packets travel alone and some never come."""
        self._chunk += bytes(self.header.packet_bytes)
        piece = self._counted(self.packet_frames)
        self._has_gap = not self._at_check
        if self._at_check:
            self._in_step(self._number % NUMBERS)
        return piece

    def finish(self) -> None:
        """Notes what the end of the stream cut off."""
        if self._held or self._at_check:
            self._note(TruncatedError(cut_off(self._at_check)))

    def _take(self, size: int) -> bytes:
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _counted(self, frames: int, indices: Indices | None = None) -> Piece:
        self.frames += frames
        return Piece(frames, indices)

    def _checked(self) -> list[Piece]:
        whole = self._chunk + self._take(CHECK_BYTES)
        number = whole[-CHECK_BYTES]
        if is_intact(whole, self._seed):
            return self._in_step(number)
        if not self._has_gap:
            self._note(CorruptError(MISMATCH))
        if number == self._number % NUMBERS:
            return self._in_step(number)
        self._window, self._passed = whole[1:], 0
        return []

    def _searched(self, window: bytes) -> list[Piece]:
        """Looks for the end of an intact chunk.  What comes meanwhile counts as lost, as fast as it comes."""
        data, size = window + self._held, self.header.live_chunk_bytes + CHECK_BYTES
        ends = range(len(window) + 1, len(data) + 1)
        end = next((end for end in ends if is_intact(data[end - size : end], self._seed)), None)
        self._held = b"" if end is None else data[end:]
        self._window = data[1 - size :] if end is None else None
        before, self._passed = self._passed, self._passed + len(data) - len(window) - len(self._held)
        packets = self._packets_in(self._passed) - self._packets_in(before)
        lost = [self._counted(packets * self.packet_frames)] if packets else []
        return lost if end is None else lost + self._in_step(data[end - CHECK_BYTES])

    def _packets_in(self, size: int) -> int:
        """How many packets so many bytes hold, in which checks lie at unknown places."""
        return (
            size
            * self.header.layout.chunk_frames
            // (self.packet_frames * (self.header.live_chunk_bytes + CHECK_BYTES))
        )

    def _in_step(self, number: int) -> list[Piece]:
        """Goes on after the chunk of this number, and counts as lost what is missing up to there."""
        ahead = (number - self._number) % NUMBERS
        if 0 < ahead < NUMBERS // 2:
            self._note(CorruptError(f"{ahead} live chunks are missing"))
        self._number += ahead if ahead < NUMBERS // 2 else ahead - NUMBERS  # in the past: one came twice
        self._number, self._chunk, self._has_gap = self._number + 1, b"", False
        missing = self._number * self.header.layout.chunk_frames - self.frames
        return [self._counted(missing)] if missing > 0 else []

    def _note(self, error: CorruptError) -> None:
        error.chunk, error.start_s = self._number, self.header.chunk_start_s(self._number)
        self.damage.append(error)


def cut_off(at_check: bool) -> str:
    return f"the stream ends within a {'check' if at_check else 'packet'}"


def live_seed(header: HeaderBytes) -> int:
    """The start value of every check: a chunk of another stream fails it."""
    return crc_hqx(header.data[: header.length_offset], CRC_START)


def check_of(packets: bytes, number: int, seed: int) -> bytes:
    """What follows the packets of a chunk."""
    low = bytes([number % NUMBERS])
    return low + crc_hqx(packets + low, seed).to_bytes(2, "big")


def is_intact(chunk: bytes, seed: int) -> bool:
    """Whether the CRC of a full chunk, which it ends with, is right."""
    return crc_hqx(chunk[:-2], seed) == int.from_bytes(chunk[-2:], "big")


def pack_packet(header: Header, indices: Indices) -> bytes:
    """Packs indices (coded channel, frame, row), frame by frame; zeros fill the last byte."""
    return np.packbits(bits_of(indices.transpose(1, 0, 2), header.layout.index_bits)).tobytes()


def unpack_packet(header: Header, packet: bytes) -> Indices | None:
    """The inverse of `pack_packet`; None if the bits that fill the last byte are not 0."""
    assert header.packet_frames is not None
    used = header.packet_frames * header.frame_bits
    bits = np.unpackbits(np.frombuffer(packet, np.uint8))
    if bits[used:].any():
        return None
    shape = (header.packet_frames, header.coded_channels, header.layout.rows)
    return indices_of(bits[:used], header.layout.index_bits).reshape(shape).transpose(1, 0, 2)
