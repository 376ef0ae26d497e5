"""Standard MIDI files, as synthesisers read them."""

from __future__ import annotations

import struct

from melcodec_cli.train.music.piece import DRUMS, Piece

TICKS_PER_S = 960  # 480 for each beat of half a second
DRUM_CHANNEL = 9


def midi_of(piece: Piece) -> bytes:
    """A file with one track.  Parts that differ in nothing else have channels of their own."""
    events: list[tuple[int, int, bytes]] = []  # tick, order within it, message
    free = (channel for channel in range(16) if channel != DRUM_CHANNEL)
    for part in piece.parts:
        drums = part.program == DRUMS
        channel = DRUM_CHANNEL if drums else next(free)
        events.append((0, 0, bytes([0xC0 | channel, part.kit if drums else part.program])))
        for note in part.notes:
            start, end = (round(each * TICKS_PER_S) for each in (note.start_s, note.start_s + note.length_s))
            events.append((start, 2, bytes([0x90 | channel, note.pitch, note.velocity])))
            events.append((max(end, start + 1), 1, bytes([0x80 | channel, note.pitch, 0])))
    track, tick = bytearray(), 0
    for when, _, message in sorted(events):
        track += _varied(when - tick) + message
        tick = when
    track += _varied(0) + b"\xff\x2f\x00"  # the end
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS_PER_S // 2)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _varied(number: int) -> bytes:
    """A number in as many bytes as it needs, seven bits each, all but the last marked."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(0x80 | number & 0x7F)
    return bytes(reversed(parts))
