"""Builds WAV headers: plain, extensible or RF64, for known and unknown lengths."""

import struct
from collections.abc import Mapping

from melcodec_cli.audio import tags
from melcodec_cli.audio.pcm import Encoding
from melcodec_cli.audio.wav_source import EXTENSIBLE, FLOAT, GUID_TAIL, PCM

UNKNOWN = 0xFFFF_FFFF
RIFF_LIMIT = UNKNOWN - 1  # anything longer is RF64
# The speakers of so many channels, one bit each.
SPEAKERS = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x13F, 8: 0x63F}


class WavHeader:
    """The header of one file. It has the same size for every length, so it can be overwritten later.

    If the length is unknown but `may_change`, it has room for RF64's 64-bit sizes, which files over 4 GiB need.
    """

    def __init__(
        self,
        rate_hz: int,
        channels: int,
        encoding: Encoding,
        tag_values: Mapping[str, str],
        samples: int | None,
        may_change: bool,
    ):
        self.frame_bytes = channels * encoding.width_bytes
        self._chunks = _format_chunk(rate_hz, channels, encoding) + tags.to_info(tag_values)
        self._is_float = encoding.kind == "f"
        self._has_room = False
        self._has_room = may_change if samples is None else self._riff_bytes(samples) > RIFF_LIMIT

    def to_bytes(self, samples: int | None) -> bytes:
        """The header's bytes; `samples` is None while the length is unknown."""
        data_bytes = (samples or 0) * self.frame_bytes
        riff_bytes = self._riff_bytes(samples or 0)
        is_long = riff_bytes > RIFF_LIMIT
        room = b""
        if self._has_room:
            sizes = struct.pack("<QQQI", riff_bytes, data_bytes, samples or 0, 0)
            room = _chunk(b"ds64", sizes) if is_long else _chunk(b"JUNK", bytes(len(sizes)))
        if samples is None or is_long:
            riff_bytes = data_bytes = UNKNOWN
        magic = b"RF64" if is_long and self._has_room else b"RIFF"
        fact = _chunk(b"fact", struct.pack("<I", min(samples or 0, UNKNOWN))) if self._is_float else b""
        start = struct.pack("<4sI4s", magic, riff_bytes, b"WAVE")
        return start + room + self._chunks + fact + struct.pack("<4sI", b"data", data_bytes)

    def _riff_bytes(self, samples: int) -> int:
        """The size of the RIFF chunk, without its own first eight bytes."""
        data_bytes = samples * self.frame_bytes
        return (
            4
            + 36 * self._has_room
            + len(self._chunks)
            + 12 * self._is_float
            + 8
            + data_bytes
            + data_bytes % 2
        )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body


def _format_chunk(rate_hz: int, channels: int, encoding: Encoding) -> bytes:
    code = FLOAT if encoding.kind == "f" else PCM
    # Microsoft requires the extensible form for more than two channels or more than 16 bits.
    extensible = channels > 2 or (code == PCM and encoding.bits > 16)
    frame_bytes = channels * encoding.width_bytes
    body = struct.pack(
        "<HHIIHH",
        EXTENSIBLE if extensible else code,
        channels,
        rate_hz,
        rate_hz * frame_bytes,
        frame_bytes,
        encoding.bits,
    )
    if extensible:
        body += struct.pack("<HHIH", 22, encoding.bits, SPEAKERS[channels], code) + GUID_TAIL
    elif code == FLOAT:
        body += struct.pack("<H", 0)
    return _chunk(b"fmt ", body)
