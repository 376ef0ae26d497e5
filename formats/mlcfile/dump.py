"""A file's headers and blocks as plain data, for JSON."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from .blocks import Block, Chunk, End
from .header import Header
from .reader import Reader, read_streams


def dump(file: BinaryIO, conceal: bool = False, indices: bool = False) -> list[dict[str, Any]]:
    """One entry per stream; `indices` adds the content of every chunk."""
    return [_dump_stream(reader, indices) for reader in read_streams(file, conceal)]


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
    return {
        "bitstream_id": header.bitstream_id.hex(),
        "renderer_id": header.renderer_id.hex(),
        "rate_hz": header.rate_hz,
        "channels": header.channels,
        "samples": header.samples,
        "all_channels": header.all_channels,
        "layout": vars(header.layout),
        "globals": header.globals_ and vars(header.globals_),
    }


def _dump_block(block: Block, header: Header, indices: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": block.name, "offset": block.offset, "size": len(block.data)}
    content = block.content
    if isinstance(content, Chunk):
        frames = content.indices.shape[1]
        entry |= {"chunk": content.number, "first_frame": content.first_frame, "frames": frames}
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
