"""Reads a whole .mlc file, damaged or not, and collects what can be said about it without decoding."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from mlcfile import Chunk, CorruptError, Header, MlcError, Reader, read_streams

from melcodec_cli.errors import MelcodecError, MlcCorrupt, MlcTruncated, from_mlc_error

LOST_TOLD = 10  # stretches that fit on a line


@dataclass
class Stream:
    """One of the streams in a file."""

    header: Header
    version: str
    offset: int  # of its first byte in the file
    size_bytes: int = 0
    samples: int | None = None  # of the original; None if neither header nor END gives it
    frames: int = 0  # that could be read
    chunks: int = 0
    coded_chunks: int = 0  # of them, that are entropy coded
    index_bits: int = 0  # that the indices of all frames take
    blocks: Counter[str] = field(default_factory=Counter)  # by name, in order of first appearance
    tags: list[tuple[str, str]] = field(default_factory=list)
    damage: list[CorruptError] = field(default_factory=list)
    lost_s: list[tuple[float, float]] = field(default_factory=list)  # (from, to) on the recording's clock
    complete: bool = False  # END was found

    @property
    def duration_s(self) -> float:
        """The recording's duration, or that of what is there if the length is unknown."""
        if self.samples is not None:
            return self.samples / self.header.rate_hz
        layout = self.header.layout
        return self.frames * layout.frame_samples / layout.model_rate_hz

    @property
    def saved_percent(self) -> float | None:
        """What entropy coding took off the indices; None if the stream is not entropy coded, or has no indices."""
        if self.header.tables_id is None or not self.frames:
            return None
        return 100 * (1 - self.index_bits / (self.frames * self.header.frame_bits))

    @property
    def global_bits(self) -> int:
        """Bits of the global indices, sent once per chunk or less often."""
        return self.header.chunk_globals_bits * self.chunks + self.header.globals_bits * self.blocks["GLOBAL"]

    @property
    def payload_bits(self) -> int:
        """Bits of all that the model produced: indices and global indices."""
        return self.index_bits + self.global_bits

    @property
    def payload_bits_per_s(self) -> float | None:
        """The payload's rate over what can be read; None if nothing can."""
        readable_s = self.duration_s - sum(end_s - start_s for start_s, end_s in self.lost_s)
        return self.payload_bits / readable_s if readable_s else None

    @property
    def total_bits_per_s(self) -> float | None:
        return 8 * self.size_bytes / self.duration_s if self.duration_s else None


@dataclass
class Inspection:
    """A file's streams, and the error at which reading had to stop, if any."""

    streams: list[Stream] = field(default_factory=list)
    error: MlcError | None = None

    @property
    def size_bytes(self) -> int:
        return sum(stream.size_bytes for stream in self.streams)

    @property
    def duration_s(self) -> float:
        return sum(stream.duration_s for stream in self.streams)

    @property
    def damage(self) -> list[MlcError]:
        """All errors, in the order of the file."""
        found: list[MlcError] = [error for stream in self.streams for error in stream.damage]
        return found if self.error is None else [*found, self.error]

    @property
    def lost(self) -> list[str]:
        """The parts of the recording that cannot be read, in words."""
        several = len(self.streams) > 1
        return [
            f"{start_s:.2f}-{end_s:.2f} s"
            + (f" of stream {number}" if several else f" of {stream.duration_s:.2f} s")
            for number, stream in enumerate(self.streams, 1)
            for start_s, end_s in stream.lost_s
        ]

    def failure(self, path: str) -> MelcodecError | None:
        """The error to end with; None if the file is intact."""
        if self.error is not None and not self.streams:
            return from_mlc_error(self.error, path)
        if not self.damage:
            return None
        last = from_mlc_error(self.damage[-1], path)
        if not isinstance(last, MlcCorrupt):
            return last
        if not self.lost:
            return type(last)(f"{last.message}; {self.duration_s:.2f} s can be read", path)
        verdict = "truncated" if isinstance(last, MlcTruncated) else "damaged"
        parts = self.lost[:LOST_TOLD]
        if len(self.lost) > LOST_TOLD:
            parts.append(f"and {len(self.lost) - LOST_TOLD} more stretches")
        return type(last)(f"{verdict}: lost {', '.join(parts)}", path)


def inspect(file: BinaryIO) -> Inspection:
    """Read all blocks of all streams, and check every checksum, length and digest."""
    inspection = Inspection()
    try:
        for reader in read_streams(file, conceal=True):
            stream = _begin(reader)
            inspection.streams.append(stream)
            _read_blocks(reader, stream)
    except MlcError as error:
        inspection.error = error
    return inspection


def _begin(reader: Reader) -> Stream:
    data = reader.header_bytes.data
    return Stream(
        header=reader.header,
        version=f"{data[3] >> 4}.{data[3] & 15}",
        offset=reader.offset,
        size_bytes=len(data),
        samples=reader.header.samples,
        tags=reader.tags,
        damage=reader.damage,
    )


def _read_blocks(reader: Reader, stream: Stream) -> None:
    for block in reader.blocks():
        stream.size_bytes = block.offset + len(block.data) - reader.offset
        stream.blocks[block.name] += 1
        if isinstance(block.content, Chunk):
            stream.frames += block.content.frames
            stream.index_bits += block.content.codes.index_bits
            stream.chunks += 1
            stream.coded_chunks += block.content.codes.is_coded
    if reader.end is not None:
        stream.samples, stream.complete = reader.end.samples, True
    header = stream.header
    for chunks in reader.lost:
        start_s, end_s = header.chunk_start_s(chunks.start), header.chunk_start_s(chunks.stop)
        if stream.samples is not None:
            end_s = min(end_s, stream.duration_s)
        stream.lost_s.append((start_s, end_s))


def stream_json(stream: Stream) -> dict[str, Any]:
    """The keys of `info --json` for one stream; programs rely on them."""
    header, layout, globals_ = stream.header, stream.header.layout, stream.header.globals_
    return {
        "version": stream.version,
        "bitstream_id": header.bitstream_id.hex(),
        "renderer_id": header.renderer_id.hex(),
        "rate_hz": header.rate_hz,
        "channels": header.channels,
        "coded_channels": header.coded_channels,
        "samples": stream.samples,
        "duration_s": round(stream.duration_s, 6),
        "mlc_bytes": stream.size_bytes,
        "payload_bits": stream.payload_bits,
        "payload_bits_per_s": _rounded(stream.payload_bits_per_s),
        "total_bits_per_s": _rounded(stream.total_bits_per_s),
        "layout": dict(vars(layout)),
        "globals": None if globals_ is None else dict(vars(globals_)),
        "entropy": _entropy_json(stream),
        "packet_frames": header.packet_frames,
        "frames": stream.frames,
        "chunks": stream.chunks,
        "blocks": dict(stream.blocks),
        "tags": [list(tag) for tag in stream.tags],
        **damage_json(stream),
    }


def _entropy_json(stream: Stream) -> dict[str, Any] | None:
    if stream.header.tables_id is None:
        return None
    saved = stream.saved_percent
    return {
        "tables_id": stream.header.tables_id.hex(),
        "coded_chunks": stream.coded_chunks,
        "saved_percent": None if saved is None else round(saved, 2),
    }


def _rounded(bits_per_s: float | None) -> float | None:
    return None if bits_per_s is None else round(bits_per_s, 2)


def damage_json(stream: Stream) -> dict[str, Any]:
    return {
        "complete": stream.complete,
        "damage": [
            {"error": error.message, "chunk": error.chunk, "start_s": error.start_s, "offset": error.offset}
            for error in stream.damage
        ],
        "lost_s": [[round(start_s, 6), round(end_s, 6)] for start_s, end_s in stream.lost_s],
    }
