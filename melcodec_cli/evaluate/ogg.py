"""How many bytes of an Ogg file are packets of sound, and how many the wrapping."""

from __future__ import annotations


def packet_bytes(data: bytes, headers: int) -> int:
    """Of one logical stream, without its first `headers` packets, which describe it.

    A page is "OggS", 22 bytes, the number of its segments, the length of each, and the segments; a packet
    ends with the first segment shorter than 255 bytes.
    """
    total = position = 0
    while position < len(data):
        if data[position : position + 4] != b"OggS" or len(data) < position + 27:
            raise ValueError(f"no Ogg page at byte {position}")
        count = data[position + 26]
        segments = data[position + 27 : position + 27 + count]
        for length in segments:
            if headers:
                headers -= length < 255
            else:
                total += length
        position += 27 + count + sum(segments)
    return total
