"""Drops the finest rows of .mlc files, which makes them files of a lower rate.  Needs no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import mlcfile
import numpy as np
from mlcfile.blocks import CODES, GLOBAL, Block
from mlcfile.sink import write_all

RowsOf = Callable[[mlcfile.Header], int]  # how many rows of a stream to keep
TablesOf = Callable[[mlcfile.Header], mlcfile.Tables]  # those that its chunks are coded with


def recode(source: BinaryIO, target: BinaryIO, rows_of: RowsOf, tables_of: TablesOf) -> list[mlcfile.Header]:
    """Copy every stream of `source`, without the rows beyond `rows_of` its header; returns the new headers."""
    headers = []
    for reader in mlcfile.read_streams(source):
        header = reader.header
        header = replace(header, layout=replace(header.layout, rows=rows_of(header)))
        headers.append(header)
        if header.packet_frames is not None:
            _copy_live(reader, target, header)
            continue
        tables = None
        if header.tables_id is not None:
            tables = tables_of(header)
            reader.use_tables(tables)
        _copy(reader, target, header, tables)
    return headers


def _copy(
    reader: mlcfile.Reader, target: BinaryIO, header: mlcfile.Header, tables: mlcfile.Tables | None
) -> None:
    writer = mlcfile.Writer(target, header, tables)
    for block in reader.blocks():
        if isinstance(block.content, mlcfile.Chunk):
            own = block.content.globals_ if header.chunk_globals_bits else None
            writer.write_chunk(_kept(block, header), own)
        elif block.type == GLOBAL:
            assert isinstance(block.content, np.ndarray)
            writer.write_globals(block.content)
        elif isinstance(block.content, mlcfile.End):
            writer.finish(block.content.samples)
        else:
            writer.write_ancillary(block.type, block.body)


def _copy_live(reader: mlcfile.Reader, target: BinaryIO, header: mlcfile.Header) -> None:
    packer = mlcfile.Packer(header)
    write_all(target, packer.header_bytes)
    for block in reader.blocks():
        assert block.type == CODES
        indices = _kept(block, header)
        for start in range(0, indices.shape[1], packer.packet_frames):
            write_all(target, packer.pack(indices[:, start : start + packer.packet_frames]))


def _kept(block: Block, header: mlcfile.Header) -> mlcfile.payload.Indices:
    assert isinstance(block.content, mlcfile.Chunk)
    return block.content.indices[:, :, : header.layout.rows]
