"""The Kaitai description and the hand-written reader agree on every golden file."""

from __future__ import annotations

import json
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kaitaistruct import KaitaiStream
from mlcfile import Block, Chunk, End, Header, MlcError, read_streams
from mlcfile.entropy import split_coded
from mlcfile.header_bytes import RATES_HZ
from mlcfile.layout import KINDS

from .kaitai.mlc import Mlc  # type: ignore[attr-defined]
from .streams import BROKEN, GOOD, VECTORS, with_tables

KAITAI = Path(__file__).parent / "kaitai"


def assert_same_header(parsed: Any, header: Header) -> None:
    assert (parsed.bitstream_id, parsed.renderer_id) == (header.bitstream_id, header.renderer_id)
    assert (parsed.channels, parsed.coded_channels) == (header.channels, header.coded_channels)
    code = parsed.rate_code
    assert header.rate_hz == (RATES_HZ[code - 1] if code else parsed.explicit_rate_hz.value)
    assert parsed.samples_plus_1.value == (0 if header.samples is None else header.samples + 1)
    assert (parsed.index_bits, parsed.rows) == (header.layout.index_bits, header.layout.rows)
    if parsed.has_layout:
        layout = parsed.explicit_layout
        numbers = (layout.model_rate_hz.value, layout.frame_samples.value, layout.chunk_frames.value)
        assert numbers == (
            header.layout.model_rate_hz,
            header.layout.frame_samples,
            header.layout.chunk_frames,
        )
        assert KINDS[layout.kind] == header.layout.kind
    assert parsed.is_entropy_coded == (header.tables_id is not None)
    if header.tables_id is not None:
        assert parsed.tables_id == header.tables_id
    assert parsed.is_live == (header.packet_frames is not None)
    if parsed.is_live:
        assert parsed.packet_frames == header.packet_frames
    if header.globals_ is None:
        assert not parsed.has_globals
    else:
        assert (parsed.global_indices.count, parsed.global_bits) == (
            header.globals_.count,
            header.globals_.bits,
        )
        assert parsed.global_indices.is_stream_scope == (header.globals_.scope == "stream")


def assert_same_live_chunk(parsed: Any, block: Block) -> None:
    assert isinstance(block.content, Chunk)
    found = [value for packet in parsed.packets for value in values(packet.indices)]
    assert found == block.content.indices.transpose(1, 0, 2).ravel().tolist()
    if check := block.data[len(block.body) :]:
        assert parsed.is_full and bytes([parsed.number]) + parsed.checksum.to_bytes(2, "big") == check
    else:
        assert not parsed.is_full


def assert_same_block(parsed: Any, block: Block, header: Header) -> None:
    assert (int(parsed.type), parsed.len_body.value) == (block.type, len(block.body))
    assert parsed.checksum.to_bytes(4, "big") == block.data[-4:]
    content = block.content
    if isinstance(content, Chunk) and parsed.body.is_coded:
        coded, told = parsed.body.coded_chunk, split_coded(header, block.body)
        assert (coded.short_frames.value or header.layout.chunk_frames) == content.frames
        assert (coded.states, coded.words) == (told.stream.states.tolist(), told.stream.words.tolist())
        own = content.globals_ if header.chunk_globals_bits else None
        assert values(coded.globals) == ([] if own is None else own.ravel().tolist())
    elif isinstance(content, Chunk):
        chunk = parsed.body.chunk
        assert values(chunk.indices) == content.indices.transpose(1, 0, 2).ravel().tolist()
        if header.chunk_globals_bits and content.globals_ is not None:
            assert values(chunk.globals) == content.globals_.ravel().tolist()
        else:
            assert values(chunk.globals) == []
    elif isinstance(content, End):
        assert parsed.body.frames.value == content.frames
        if header.samples is None:
            assert parsed.body.samples.value == content.samples
    elif isinstance(content, np.ndarray):
        assert values(parsed.body.globals) == content.ravel().tolist()
    elif isinstance(content, list):
        assert [tag.text for tag in parsed.body.tags] == [f"{key}={value}" for key, value in content]
    else:
        assert parsed.body == block.body


def values(indices: Any) -> list[int]:
    return [index.value for index in indices]


def assert_agree(path: Path) -> None:
    """As far as our reader gets, which on a broken file is up to what is broken."""
    stream = KaitaiStream(BytesIO(path.read_bytes()))
    with path.open("rb") as file:
        for reader in read_streams(file):
            parsed_header = Mlc.Header(stream)
            assert_same_header(parsed_header, reader.header)
            for block in with_tables(reader).blocks():
                assert stream.pos() == block.offset
                if reader.header.packet_frames is not None:
                    assert_same_live_chunk(Mlc.LiveChunk(parsed_header, stream), block)
                    continue
                assert_same_block(Mlc.Block(parsed_header, stream), block, reader.header)
    assert stream.is_eof()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_descriptions_agree_on_sound_file(path: Path) -> None:
    assert_agree(path)
    assert len(Mlc.from_file(str(path)).streams) == len(
        json.loads(path.with_suffix(".json").read_text())["streams"]
    )


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_descriptions_agree_on_broken_file_up_to_what_is_broken(path: Path) -> None:
    with pytest.raises(MlcError):
        assert_agree(path)


def test_generated_reader_is_what_the_compiler_makes_of_the_description() -> None:
    try:
        made = subprocess.run(
            ["node", KAITAI / "compile.js", VECTORS.parent / "mlc.ksy"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"Kaitai's compiler is not installed: {error}")
    assert made == (KAITAI / "mlc.py").read_text()
