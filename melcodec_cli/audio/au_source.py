"""Reading Sun's AU, the oldest of the streamable formats, from files and pipes."""

import struct

from melcodec_cli.audio.pcm import Encoding
from melcodec_cli.audio.source import PcmSource
from melcodec_cli.audio.stream import ByteStream

ENCODINGS = {
    2: Encoding("i", 8),
    3: Encoding("i", 16, ">"),
    4: Encoding("i", 24, ">"),
    5: Encoding("i", 32, ">"),
    6: Encoding("f", 32, ">"),
    7: Encoding("f", 64, ">"),
}
HEADER_BYTES = 24
UNKNOWN = 0xFFFF_FFFF


def recognises(magic: bytes) -> bool:
    return magic[:4] == b".snd"


def open_stream(stream: ByteStream) -> PcmSource | None:
    """Open an AU stream; None if its samples are in a codec that this reader does not know."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    _, offset, data_bytes, code, rate_hz, channels = struct.unpack(">4s5I", header)
    encoding = ENCODINGS.get(code)
    if encoding is None or offset < HEADER_BYTES:
        return None
    stream.skip(offset - HEADER_BYTES)
    return PcmSource(stream, rate_hz, channels, encoding, None if data_bytes in (0, UNKNOWN) else data_bytes)
