"""The header: what a stream is and which model it needs."""

from __future__ import annotations

from dataclasses import dataclass

from .layout import MAX_BODY_BYTES, MAX_RATE_HZ, MIN_RATE_HZ, Globals, Layout, check_range

MAX_SAMPLES = (1 << 48) - 2  # per channel: 23 years at 384 kHz
MAX_CHUNKS = (1 << 32) - 1  # chunk numbers are four bytes where checksums need them
MAX_LIVE_CHUNK_BYTES = 1024  # a search after damage checks one of these at every byte


@dataclass(frozen=True)
class Header:
    """What a stream says about itself before its first block."""

    bitstream_id: bytes  # 4: the model without which the indices mean nothing
    renderer_id: bytes  # 2: what turned them into sound when they were made
    rate_hz: int  # of the original
    channels: int  # of the original
    samples: int | None  # of the original, per channel; None: not known yet, END will give it
    all_channels: bool = False  # every channel is coded; otherwise only their mix
    layout: Layout = Layout()
    globals_: Globals | None = None
    tables_id: bytes | None = None  # 4: the tables with which chunks may be entropy coded
    packet_frames: int | None = None  # of a live stream: frames that are sent at once; None: it is not live

    def __post_init__(self) -> None:
        _check_id("bitstream_id", self.bitstream_id, 4)
        _check_id("renderer_id", self.renderer_id, 2)
        if self.tables_id is not None:
            _check_id("tables_id", self.tables_id, 4)
        check_range("rate_hz", self.rate_hz, MIN_RATE_HZ, MAX_RATE_HZ)
        check_range("channels", self.channels, 1, 8)
        if self.samples is not None:
            check_range("samples", self.samples, 0, MAX_SAMPLES)
            if self.chunks_of(self.samples) > MAX_CHUNKS:
                raise ValueError(f"{self.samples} samples make more than {MAX_CHUNKS} chunks")
        if self.chunk_bytes > MAX_BODY_BYTES:
            raise ValueError(f"a chunk of {self.chunk_bytes} bytes is over the limit of {MAX_BODY_BYTES}")
        if self.packet_frames is not None:
            self._check_live(self.packet_frames)

    def _check_live(self, packet_frames: int) -> None:
        check_range("packet frames", packet_frames, 1, 255)
        if self.layout.chunk_frames % packet_frames:
            raise ValueError(f"packets of {packet_frames} frames do not fill {self.layout.chunk_frames}")
        if self.samples is not None or self.globals_ is not None or self.tables_id is not None:
            raise ValueError("a live stream has no length, no global indices and no tables")
        check_range("bytes of a live chunk", self.live_chunk_bytes, 1, MAX_LIVE_CHUNK_BYTES)

    @property
    def coded_channels(self) -> int:
        return self.channels if self.all_channels else 1

    def frames_of(self, samples: int) -> int:
        """The number of frames that `samples` of the original take; the last may be partly filled."""
        return -(-samples * self.layout.model_rate_hz // (self.rate_hz * self.layout.frame_samples))

    def chunks_of(self, samples: int) -> int:
        return -(-self.frames_of(samples) // self.layout.chunk_frames)

    @property
    def frames(self) -> int | None:
        """The number of frames, if the length is known."""
        return None if self.samples is None else self.frames_of(self.samples)

    @property
    def chunks(self) -> int | None:
        """The number of chunks, if the length is known."""
        return None if self.samples is None else self.chunks_of(self.samples)

    def chunk_start_s(self, number: int) -> float:
        return number * self.layout.chunk_frames * self.layout.frame_samples / self.layout.model_rate_hz

    @property
    def globals_bits(self) -> int:
        """Bits of one set of global indices, all coded channels together."""
        return 0 if self.globals_ is None else self.globals_.count * self.globals_.bits * self.coded_channels

    @property
    def chunk_globals_bits(self) -> int:
        """Bits of global indices at the head of each chunk."""
        return self.globals_bits if self.globals_ is not None and self.globals_.scope == "chunk" else 0

    @property
    def frame_bits(self) -> int:
        """Bits of one frame, all coded channels together."""
        return self.layout.index_bits * self.layout.rows * self.coded_channels

    @property
    def packet_bytes(self) -> int:
        """Bytes of a live stream's packet."""
        return -(-(self.packet_frames or 0) * self.frame_bits // 8)

    @property
    def live_chunk_bytes(self) -> int:
        """Bytes of the packets of a live stream's full chunk, without the check."""
        return self.packet_bytes * self.layout.chunk_frames // (self.packet_frames or 1)

    @property
    def chunk_bytes(self) -> int:
        """Body bytes of a full chunk, stop bit included."""
        return self.body_bytes(self.layout.chunk_frames)

    def body_bytes(self, frames: int) -> int:
        """Body bytes of a raw chunk of so many frames, stop bit included."""
        return -(-(self.chunk_globals_bits + frames * self.frame_bits + 1) // 8)


def _check_id(name: str, value: bytes, size: int) -> None:
    if not isinstance(value, bytes) or len(value) != size:
        raise ValueError(f"{name} {value!r} is not {size} bytes")
