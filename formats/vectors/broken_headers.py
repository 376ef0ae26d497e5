"""Headers that break one rule each."""

from __future__ import annotations

from collections.abc import Iterator

from assembly import FLAGS_BYTE, SOUND_BYTE, VERSION_BYTE, Broken, assemble, before_length, flip, put, seal
from good import SMALL, header
from mlcfile.description import pack_varint
from mlcfile.header_bytes import pack_header

OF = header(0, layout=SMALL)
PLAIN = before_length(OF)
FIXED = before_length(header(0))  # without the layout
EMPTY_END = pack_varint(0)


def files() -> Iterator[Broken]:
    yield from starts()
    yield from unknown_features()
    yield from numbers()
    yield from limits()


def sealed(head: bytes, length: bytes = b"\x01") -> bytes:
    """An empty stream whose header has the right checksum."""
    return assemble(seal(head, length), [], EMPTY_END)


def with_layout(
    index_bits: int = 10,
    rows: int = 1,
    kind: int = 0,
    model_rate_hz: int = 16_000,
    frame_samples: int = 640,
    chunk_frames: int = 4,
    channels: int = 1,
    length: int = 1,
) -> bytes:
    head = put(FIXED, FLAGS_BYTE, b"\x50")  # LAYOUT and ALL_CHANNELS
    head = put(head, SOUND_BYTE, bytes([(channels - 1) << 5 | 7]))
    head += bytes([index_bits, rows, kind])
    head += b"".join(pack_varint(number) for number in (model_rate_hz, frame_samples, chunk_frames))
    return sealed(head, pack_varint(length))


def with_globals(count: int, bits: int) -> bytes:
    return sealed(put(FIXED, FLAGS_BYTE, b"\x20") + bytes([count, bits]))


def with_rate(rate_hz: bytes) -> bytes:
    return sealed(put(FIXED, SOUND_BYTE, b"\x00") + rate_hz)


def starts() -> Iterator[Broken]:
    sound = pack_header(OF).data
    yield Broken("empty-file", "a file has a stream", "NotMlcError", "not an .mlc file: it is empty", b"")
    yield Broken(
        "wrong-magic", "a file begins 8d 4d 4c", "NotMlcError", "not an .mlc file", b"\x8dMP" + sound[3:]
    )
    yield Broken(
        "wav-file",
        "a file begins 8d 4d 4c",
        "NotMlcError",
        "not an .mlc file: it looks like a WAV file",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
    )
    truncated = "the file ends within a header (byte 0)"
    yield Broken("ends-in-magic", "a header is whole", "TruncatedError", truncated, sound[:2])
    yield Broken("ends-in-header", "a header is whole", "TruncatedError", truncated, sound[:-1])
    checksum = "the header's checksum does not match (byte 0)"
    for name, place in {
        "id": 5,
        "may-ignore-flag": FLAGS_BYTE,
        "minor-version": VERSION_BYTE,
        "length": -3,
    }.items():
        data = flip(sound, place % len(sound)) + sealed(PLAIN)[len(sound) :]
        yield Broken(f"header-checksum-{name}", "a header's checksum matches", "CorruptError", checksum, data)


def unknown_features() -> Iterator[Broken]:
    known, error = "only what is known is read", "UnsupportedError"
    version = "format version 2.0; this reader knows 1.x"
    yield Broken("major-version-2", known, error, version, sealed(put(PLAIN, VERSION_BYTE, b"\x20")))
    for name, varint, flags in (("6", b"\x04", "6"), ("6-and-11", b"\x84\x01", "6 and 11")):
        message = f"the header's must-understand flag {flags} is not known to this version"
        head = put(PLAIN, FLAGS_BYTE, b"\x90")
        head = head[: FLAGS_BYTE + 1] + varint + b"\x00" + head[FLAGS_BYTE + 1 :]
        yield Broken(f"must-understand-flag-{name}", known, error, message, sealed(head))
    rate = "the header's sample rate code 31 is not known to this version"
    yield Broken("rate-code-31", known, error, rate, sealed(put(FIXED, SOUND_BYTE, b"\x1f")))
    kind = "the header's layout kind 2 is not known to this version"
    yield Broken("layout-kind-2", known, error, kind, with_layout(kind=2))


def numbers() -> Iterator[Broken]:
    long = "a number is longer than 7 bytes (byte 0)"
    padded = "a number is written in more bytes than it needs (byte 0)"
    yield Broken(
        "number-of-8-bytes",
        "a number has at most 7 bytes",
        "CorruptError",
        long,
        with_rate(b"\x80" * 7 + b"\x01"),
    )
    yield Broken(
        "length-of-8-bytes",
        "a number has at most 7 bytes",
        "CorruptError",
        long,
        sealed(PLAIN, b"\x80" * 7 + b"\x00"),
    )
    yield Broken(
        "stretched-rate",
        "only the length may be stretched",
        "CorruptError",
        padded,
        with_rate(b"\xb9\xe0\x80\x00"),
    )


def limits() -> Iterator[Broken]:
    for name, message, data in (
        ("rate-3999", "rate_hz 3999 is outside 4000..384000", with_rate(pack_varint(3_999))),
        ("rate-384001", "rate_hz 384001 is outside 4000..384000", with_rate(pack_varint(384_001))),
        ("index-bits-0", "index_bits 0 is outside 1..16", with_layout(index_bits=0)),
        ("index-bits-17", "index_bits 17 is outside 1..16", with_layout(index_bits=17)),
        ("rows-0", "rows 0 is outside 1..32", with_layout(rows=0)),
        ("rows-33", "rows 33 is outside 1..32", with_layout(rows=33)),
        ("model-rate-3999", "model_rate_hz 3999 is outside 4000..384000", with_layout(model_rate_hz=3_999)),
        (
            "model-rate-384001",
            "model_rate_hz 384001 is outside 4000..384000",
            with_layout(model_rate_hz=384_001),
        ),
        ("frame-samples-0", "frame_samples 0 is outside 1..1048576", with_layout(frame_samples=0)),
        (
            "frame-samples-1048577",
            "frame_samples 1048577 is outside 1..1048576",
            with_layout(frame_samples=1_048_577),
        ),
        ("chunk-frames-0", "chunk_frames 0 is outside 1..65536", with_layout(chunk_frames=0)),
        ("chunk-frames-65537", "chunk_frames 65537 is outside 1..65536", with_layout(chunk_frames=65_537)),
        (
            "chunk-too-large",
            "a chunk of 1048577 bytes is over the limit of 1048576",
            with_layout(index_bits=16, rows=32, channels=8, chunk_frames=2_048),
        ),
        ("globals-count-0", "globals count 0 is outside 1..64", with_globals(0, 3)),
        ("globals-count-65", "globals count 65 is outside 1..64", with_globals(65, 3)),
        ("globals-bits-0", "globals bits 0 is outside 1..16", with_globals(32, 0)),
        ("globals-bits-17", "globals bits 17 is outside 1..16", with_globals(32, 17)),
        (
            "length-2-to-the-48",
            "samples 281474976710655 is outside 0..281474976710654",
            sealed(FIXED, pack_varint(1 << 48)),
        ),
        (
            "chunks-over-32-bits",
            "281474976710654 samples make more than 4294967295 chunks",
            with_layout(frame_samples=1, chunk_frames=1, length=(1 << 48) - 1),
        ),
    ):
        told = f"the header breaks a limit: {message} (byte 0)"
        yield Broken(name, "a header keeps the limits", "CorruptError", told, data)
