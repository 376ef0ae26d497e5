"""Converts headers to bytes and back, and derives the seed that ties every block to its header."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn
from zlib import crc32

from .description import (
    EXPLICIT_RATE,
    FIELDS,
    FLAGS,
    HEADER_CHECKSUM,
    MAX_VARINT_BYTES,
    MUST_ALL_CHANNELS,
    MUST_ENTROPY,
    MUST_EXTENDED,
    MUST_GLOBALS,
    MUST_LAYOUT,
    MUST_LIVE,
    NIBBLE_BITS,
    START,
    pack_varint,
    read_varint,
)
from .errors import CorruptError, NotMlcError, TruncatedError, UnsupportedError
from .header import Header
from .layout import KINDS, SCOPES, Globals, Layout
from .source import Source

MAGIC = b"\x8dML"  # the first byte is neither ASCII nor the beginning of a UTF-8 character
VERSION_MAJOR, VERSION_MINOR = 1, 0
RATES_HZ = (  # code 1 is the first; codes after the last are reserved
    *(4_000, 5_512, 6_000, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 37_800, 44_100),
    *(48_000, 50_000, 64_000, 88_200, 96_000, 128_000, 176_400, 192_000, 352_800, 384_000),
)
LOOKS_LIKE = (
    (b"RIFF", "a WAV file"),
    (b"RF64", "a WAV (RF64) file"),
    (b"FORM", "an AIFF file"),
    (b".snd", "an AU file"),
    (b"caff", "a CAF file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 file"),
    (b"\xff\xfb", "an MP3 file"),
)


class HeaderBytes(NamedTuple):
    """A header as it stands in a file."""

    data: bytes  # all of it
    length_offset: int  # where the length field begins

    @property
    def seed(self) -> int:
        """The start value of every block's checksum. It leaves out the length, which may be patched later."""
        return crc32(self.data[: self.length_offset])

    @property
    def length_bytes(self) -> int:
        return len(self.data) - self.length_offset - int(HEADER_CHECKSUM.sizeof())


def pack_header(header: Header, patchable: bool = False) -> HeaderBytes:
    """Packs a header; `patchable` stretches the length field, so that `patch_length` can fill it in later."""
    must = (
        (MUST_LAYOUT if header.layout != Layout() else 0)
        | (MUST_GLOBALS if header.globals_ is not None else 0)
        | (MUST_ALL_CHANNELS if header.all_channels else 0)
        | (MUST_EXTENDED | MUST_ENTROPY if header.tables_id is not None else 0)
        | (MUST_EXTENDED | MUST_LIVE if header.packet_frames is not None else 0)
    )
    more, must_nibble = divmod(must, 1 << NIBBLE_BITS)
    data = START.build({"magic": MAGIC, "version": {"major": VERSION_MAJOR, "minor": VERSION_MINOR}})
    data += FLAGS.build({"nibbles": {"must": must_nibble, "may": 0}, "more_must": more, "more_may": 0})
    data += FIELDS.build(_fields_of(header), must=must)
    return _with_length(data, header.samples, MAX_VARINT_BYTES if patchable else 1)


def patch_length(header: HeaderBytes, samples: int) -> HeaderBytes:
    """The same header with its length filled in; the field keeps its size."""
    return _with_length(header.data[: header.length_offset], samples, header.length_bytes)


def read_header(source: Source) -> tuple[Header, HeaderBytes]:
    """Reads exactly the header's bytes from `source`."""
    begin = source.offset
    recorder = _Recorder(source)
    try:
        _check_start(recorder.take(len(MAGIC) + 1))
        must = recorder.byte() >> 4
        if must & MUST_EXTENDED:
            more = recorder.varint()
            _check_more_must(more)
            must |= more << NIBBLE_BITS
            recorder.varint()  # more flags that a reader may ignore
        fields = _read_fields(recorder, must)
        length_offset = len(recorder.data)
        length = recorder.varint(stretchable=True)
        checksum = crc32(recorder.data) & 0xFFFF
        # The checksum comes first: a value out of range then means a bad writer, not a flipped bit.
        if int.from_bytes(recorder.take(2), "big") != checksum:
            raise CorruptError("the header's checksum does not match")
        header = _header_of(fields, must, length)
    except EOFError:
        _refuse_short(recorder.data, begin)
    except CorruptError as error:
        error.offset = begin
        raise
    return header, HeaderBytes(recorder.data, length_offset)


class _Recorder:
    """Passes bytes on and keeps them for the checksum."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.data = b""

    def take(self, size: int) -> bytes:
        data = self._source.read(size)
        self.data += data
        if len(data) < size:
            raise EOFError
        return data

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self, stretchable: bool = False) -> int:
        return read_varint(self.take, stretchable)


class _Fields(NamedTuple):
    """The fields as stored in the file, before their limits are checked."""

    bitstream_id: bytes
    renderer_id: bytes
    channels: int
    rate_code: int
    rate_hz: int  # 0 if the rate code gives it
    layout: tuple[int, int, int, int, int, int] | None
    globals_: tuple[int, int] | None  # count, and width with scope
    tables_id: bytes | None
    packet_frames: int | None


def _read_fields(recorder: _Recorder, must: int) -> _Fields:
    bitstream_id, renderer_id, sound = recorder.take(4), recorder.take(2), recorder.byte()
    byte, varint = recorder.byte, recorder.varint
    rate_hz = varint() if sound & 31 == EXPLICIT_RATE else 0
    layout = (byte(), byte(), byte(), varint(), varint(), varint()) if must & MUST_LAYOUT else None
    globals_ = (byte(), byte()) if must & MUST_GLOBALS else None
    tables_id = recorder.take(4) if must & MUST_ENTROPY else None
    packet_frames = byte() if must & MUST_LIVE else None
    channels, rate_code = (sound >> 5) + 1, sound & 31
    return _Fields(
        bitstream_id, renderer_id, channels, rate_code, rate_hz, layout, globals_, tables_id, packet_frames
    )


def _with_length(data: bytes, samples: int | None, width_bytes: int) -> HeaderBytes:
    whole = data + pack_varint(0 if samples is None else samples + 1, width_bytes)
    return HeaderBytes(whole + HEADER_CHECKSUM.build(crc32(whole) & 0xFFFF), len(data))


def _fields_of(header: Header) -> dict[str, Any]:
    layout, globals_ = header.layout, header.globals_
    code = RATES_HZ.index(header.rate_hz) + 1 if header.rate_hz in RATES_HZ else EXPLICIT_RATE
    return {
        "bitstream_id": header.bitstream_id,
        "renderer_id": header.renderer_id,
        "sound": {"channels_less_1": header.channels - 1, "rate_code": code},
        "rate_hz": header.rate_hz,
        "layout": {**vars(layout), "kind": KINDS.index(layout.kind)},
        "globals_": globals_
        and {
            "count": globals_.count,
            "width": {"stream_scope": SCOPES.index(globals_.scope), "bits": globals_.bits},
        },
        "tables_id": header.tables_id,
        "packet_frames": header.packet_frames,
    }


def _header_of(fields: _Fields, must: int, length: int) -> Header:
    code = fields.rate_code
    if code > len(RATES_HZ):
        raise UnsupportedError(f"the header's sample rate code {code} is not known to this version")
    try:
        return Header(
            bitstream_id=fields.bitstream_id,
            renderer_id=fields.renderer_id,
            rate_hz=fields.rate_hz if code == EXPLICIT_RATE else RATES_HZ[code - 1],
            channels=fields.channels,
            samples=length - 1 if length else None,
            all_channels=bool(must & MUST_ALL_CHANNELS),
            layout=_layout_of(*fields.layout) if fields.layout else Layout(),
            globals_=_globals_of(*fields.globals_) if fields.globals_ else None,
            tables_id=fields.tables_id,
            packet_frames=fields.packet_frames,
        )
    except ValueError as error:
        raise CorruptError(f"the header breaks a limit: {error}") from None


def _layout_of(
    index_bits: int, rows: int, kind: int, model_rate_hz: int, frame_samples: int, chunk_frames: int
) -> Layout:
    if kind >= len(KINDS):
        raise UnsupportedError(f"the header's layout kind {kind} is not known to this version")
    return Layout(index_bits, rows, KINDS[kind], model_rate_hz, frame_samples, chunk_frames)


def _globals_of(count: int, width: int) -> Globals:
    return Globals(count, width & 0x7F, SCOPES[width >> 7])


def _check_start(start: bytes) -> None:
    if not start.startswith(MAGIC):
        _refuse_foreign(start)
    major, minor = start[-1] >> 4, start[-1] & 15
    if major != VERSION_MAJOR:
        raise UnsupportedError(f"format version {major}.{minor}; this reader knows {VERSION_MAJOR}.x")


def _check_more_must(more: int) -> None:
    """Refuses unknown flags. All flags up to 5 are known, so this looks at those from 6 on."""
    unknown = [str(6 + i) for i in range(more.bit_length()) if more >> 2 + i & 1]
    if unknown:
        names = " and ".join(unknown)
        raise UnsupportedError(f"the header's must-understand flag {names} is not known to this version")


def _refuse_short(data: bytes, begin: int) -> NoReturn:
    if not data:
        raise NotMlcError("not an .mlc file: it is empty")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        _refuse_foreign(data)
    raise TruncatedError("the file ends within a header", offset=begin)


def _refuse_foreign(data: bytes) -> NoReturn:
    for magic, name in LOOKS_LIKE:
        if data.startswith(magic):
            raise NotMlcError(f"not an .mlc file: it looks like {name}")
    raise NotMlcError("not an .mlc file")
