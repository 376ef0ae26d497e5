"""A file's headers and blocks as plain data, for JSON."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from .blocks import Block, Chunk, End
from .entropy import is_coded
from .header import Header
from .reader import Reader, read_streams
from .tables import Tables


def dump(
    file: BinaryIO, conceal: bool = False, indices: bool = False, tables: Tables | None = None
) -> list[dict[str, Any]]:
    """One entry per stream; `indices` adds the content of every chunk, for which `tables` may be needed."""
    streams = []
    for reader in read_streams(file, conceal):
        if tables is not None and reader.header.tables_id == tables.id:
            reader.use_tables(tables)
        streams.append(_dump_stream(reader, indices))
    return streams


def _dump_stream(reader: Reader, indices: bool) -> dict[str, Any]:
    stream: dict[str, Any] = {
        "offset": reader.offset,
        "header_bytes": len(reader.header_bytes.data),
        "header": dump_header(reader.header),
        "blocks": [_dump_block(block, reader.header, indices) for block in reader.blocks()],
        "complete": reader.end is not None,
    }
    if reader.damage:
        stream["damage"] = [str(error) for error in reader.damage]
        stream["lost_chunks"] = [[lost.start, lost.stop - 1] for lost in reader.lost]
    return stream


def dump_header(header: Header) -> dict[str, Any]:
    described: dict[str, Any] = {
        "bitstream_id": header.bitstream_id.hex(),
        "renderer_id": header.renderer_id.hex(),
        "rate_hz": header.rate_hz,
        "channels": header.channels,
        "samples": header.samples,
        "all_channels": header.all_channels,
        "layout": vars(header.layout),
        "globals": header.globals_ and vars(header.globals_),
    }
    if header.tables_id is not None:
        described["tables_id"] = header.tables_id.hex()
    if header.packet_frames is not None:
        described["packet_frames"] = header.packet_frames
    return described


def _dump_block(block: Block, header: Header, indices: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": block.name, "offset": block.offset, "size": len(block.data)}
    content = block.content
    if isinstance(content, Chunk):
        entry |= {"chunk": content.number, "first_frame": content.first_frame, "frames": content.frames}
        if header.tables_id is not None:
            entry["entropy_coded"] = is_coded(header, block.body[-1:])
        if header.chunk_globals_bits and content.globals_ is not None:
            entry["globals"] = content.globals_.tolist()
        if indices:
            entry["indices"] = content.indices.tolist()
    elif isinstance(content, End):
        entry |= {"frames": content.frames, "samples": content.samples, "digest": f"{content.digest:08x}"}
    elif isinstance(content, np.ndarray):
        entry["globals"] = content.tolist()
    elif content is not None:
        entry["tags"] = [list(tag) for tag in content]
    else:
        entry["body"] = block.body.hex()
    return entry
