"""Reads WAV from files and pipes: RIFF and RF64, plain and extensible, with right, unknown or too large sizes.

libsndfile could read the files, but it makes a pipe wait, and it believes a size of 0.
"""

import struct
from dataclasses import dataclass

from melcodec_cli.audio import tags
from melcodec_cli.audio.pcm import Encoding
from melcodec_cli.audio.source import PcmSource
from melcodec_cli.audio.speakers import Speaker, speakers_of_mask
from melcodec_cli.audio.stream import ByteStream
from melcodec_cli.errors import AudioUnreadable

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
# In an extensible format, this follows the two bytes of the plain format's number.
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")

# Writers that cannot know the length write the largest number they dare, minus some header: 2^32 - 1 (ffmpeg), or about
# 2^31 (sox, arecord).
UNKNOWN_FROM = 0xFFFF_FF00
UNKNOWN_SIGNED = range(0x7FFF_0000, 0x8000_0100)


@dataclass(frozen=True)
class Format:
    """The part of the fmt chunk that reading needs."""

    rate_hz: int
    channels: int
    encoding: Encoding
    speakers: tuple[Speaker, ...] | None = None  # None: not given


class WavSource(PcmSource):
    """Reads also the tags after the audio."""

    def __init__(self, stream: ByteStream, form: Format, data_bytes: int | None, info: dict[str, str]):
        start = stream.position
        left_bytes = stream.left_bytes
        if left_bytes is not None and data_bytes is not None and data_bytes < left_bytes:
            stream.skip(data_bytes + data_bytes % 2)
            info |= _info_behind(stream)
            stream.seek(start)
        self._odd = bool(data_bytes and data_bytes % 2)
        super().__init__(stream, form.rate_hz, form.channels, form.encoding, data_bytes, info)
        if form.speakers is not None:
            self.speakers = form.speakers

    def _at_end(self) -> None:
        if not self._stream.seekable and self._left_bytes == 0:
            self._stream.skip(self._odd)
            self.tags |= _info_behind(self._stream)


def recognises(magic: bytes) -> bool:
    return magic[:4] in (b"RIFF", b"RF64", b"BW64") and magic[8:12] == b"WAVE"


def open_stream(stream: ByteStream) -> WavSource | None:
    """Open a WAV stream; None if its samples are in a codec that this reader does not know."""
    riff_bytes = struct.unpack("<I", stream.read(12)[4:8])[0]
    form: Format | None = None
    long_data_bytes: int | None = None
    info: dict[str, str] = {}
    while len(head := stream.read(8)) == 8:
        chunk, size = struct.unpack("<4sI", head)
        if chunk == b"data":
            if form is None:
                raise AudioUnreadable("the audio comes before its format", stream.name)
            return WavSource(stream, form, _data_bytes(stream, size, riff_bytes, long_data_bytes), info)
        behind = stream.position + size + size % 2
        if chunk == b"fmt ":
            form = _format(stream.read(min(size, 40)))
            if form is None:
                return None
        elif chunk == b"ds64" and size >= 16:
            riff_bytes, long_data_bytes = struct.unpack("<QQ", stream.read(16))
        elif chunk == b"LIST" and size <= tags.MAX_INFO_BYTES:
            info |= tags.from_info(stream.read(size))
        elif chunk == b"bext":
            info = tags.from_bext(stream.read(min(size, tags.BEXT_DESCRIPTION_BYTES))) | info
        stream.skip(max(0, behind - stream.position))
    raise AudioUnreadable("a WAV header without audio", stream.name)


def _format(body: bytes) -> Format | None:
    if len(body) < 16:
        return None
    code, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", body)
    speakers = None
    if code == EXTENSIBLE and len(body) == 40 and body[26:] == GUID_TAIL:
        mask, code = struct.unpack_from("<IH", body, 20)
        speakers = speakers_of_mask(mask, channels)
    # Odd numbers of bits fill their bytes from the top, so only whole bytes matter.
    bits = 8 * ((bits + 7) // 8)
    if frame_bytes != channels * bits // 8:
        return None
    if code == PCM and bits in (8, 16, 24, 32):
        return Format(rate_hz, channels, Encoding("u" if bits == 8 else "i", bits), speakers)
    if code == FLOAT and bits in (32, 64):
        return Format(rate_hz, channels, Encoding("f", bits), speakers)
    return None


def _data_bytes(stream: ByteStream, size: int, riff_bytes: int, long_data_bytes: int | None) -> int | None:
    """The size of the audio according to the header; None if it lasts to the end of the stream."""
    if long_data_bytes is not None and size == 0xFFFF_FFFF:
        return long_data_bytes if 0 < long_data_bytes < 1 << 63 else None
    if size == 0:
        # Truly empty if other chunks follow; otherwise the header was never corrected after the audio was written.
        return 0 if stream.position < riff_bytes + 8 < UNKNOWN_FROM else None
    if size >= UNKNOWN_FROM:
        return None
    if size in UNKNOWN_SIGNED:
        left_bytes = stream.left_bytes
        return size if left_bytes is not None and left_bytes >= size else None
    return size


def _info_behind(stream: ByteStream) -> dict[str, str]:
    info: dict[str, str] = {}
    while len(head := stream.read(8)) == 8:
        chunk, size = struct.unpack("<4sI", head)
        if chunk == b"LIST" and size <= tags.MAX_INFO_BYTES:
            info |= tags.from_info(stream.read(size))
            stream.skip(size % 2)
        else:
            stream.skip(size + size % 2)
    return info
