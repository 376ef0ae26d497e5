from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlcfile import Globals, Header, Layout, Reader, Writer, read_streams
from mlcfile.description import LENGTH, Varint, pack_varint
from mlcfile.header_bytes import RATES_HZ, pack_header

from .streams import SMALL, Pipe, content, header, stream

layouts = st.builds(
    Layout,
    index_bits=st.integers(1, 16),
    rows=st.integers(1, 32),
    kind=st.sampled_from(["stages", "column"]),
    model_rate_hz=st.integers(4_000, 384_000),
    frame_samples=st.integers(1, 2_000),
    chunk_frames=st.integers(1, 60),
)
headers = st.builds(
    Header,
    bitstream_id=st.binary(min_size=4, max_size=4),
    renderer_id=st.binary(min_size=2, max_size=2),
    rate_hz=st.integers(4_000, 384_000) | st.sampled_from(RATES_HZ),
    channels=st.integers(1, 8),
    samples=st.none(),
    all_channels=st.booleans(),
    layout=st.just(Layout()) | layouts,
    globals_=st.none()
    | st.builds(Globals, st.integers(1, 64), st.integers(1, 16), st.sampled_from(["chunk", "stream"])),
)
frame_counts = st.integers(0, 150)


def samples_of(of: Header, frames: int) -> int:
    """The greatest length that makes at most this many frames."""
    return frames * of.layout.frame_samples * of.rate_hz // of.layout.model_rate_hz


@settings(max_examples=80, deadline=None)
@given(headers, frame_counts, st.integers(0, 99), st.booleans())
def test_whatever_is_written_is_read_again(of: Header, frames: int, seed: int, known: bool) -> None:
    samples = samples_of(of, frames)
    of = Header(**(vars(of) | {"samples": samples if known else None}))
    written = content(of, samples, seed)
    data = written.write(Pipe())
    source = BytesIO(data)
    reader = Reader(source)
    written.assert_in(list(reader))
    assert reader.header == of
    assert reader.end is not None and reader.end.verified
    assert (reader.end.samples, reader.end.frames) == (samples, written.indices.shape[1])
    assert source.tell() == len(data)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(headers, frame_counts), min_size=2, max_size=4))
def test_concatenated_streams_are_read_one_after_the_other(streams: list[tuple[Header, int]]) -> None:
    written = [content(of, samples_of(of, frames)) for of, frames in streams]
    data = b"".join(each.write(BytesIO()) for each in written)
    for each, reader in zip(written, read_streams(BytesIO(data)), strict=True):
        each.assert_in(list(reader))
        assert reader.header.samples == each.samples


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_what_is_left_unread_of_a_stream_does_not_hide_the_next(taken: int) -> None:
    data = stream(header(700_000)) + stream(header(1_000, channels=2))
    readers = read_streams(BytesIO(data))
    for _, _chunk in zip(range(taken), next(readers), strict=False):
        pass
    assert [reader.header.channels for reader in readers] == [2]


keys = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7D, exclude_characters="="), min_size=1)
values = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(keys, values)))
def test_tags_come_back_in_order_with_repeated_keys(tags: list[tuple[str, str]]) -> None:
    file = BytesIO()
    with Writer(file, header(0)) as writer:
        writer.write_tags(tags)
    reader = Reader(BytesIO(file.getvalue()))
    assert list(reader) == []
    assert reader.tags == tags


def test_tags_are_known_before_the_chunks_that_follow_them() -> None:
    file = BytesIO()
    with Writer(file, header(1)) as writer:
        writer.write_tags({"TITLE": "early"})
        writer.write_chunk(np.zeros((1, 1, 1), int))
    reader = Reader(BytesIO(file.getvalue()))
    next(iter(reader))
    assert reader.tags == [("TITLE", "early")]


def test_a_global_block_holds_until_the_next_one() -> None:
    of = header(5 * 4 * 640, layout=SMALL, globals_=Globals(2, 3, "stream"))
    file = BytesIO()
    with Writer(file, of) as writer:
        for number in range(5):
            if number in (0, 3):
                writer.write_globals([[number, 7]])
            writer.write_chunk(np.zeros((1, 4, 1), int))
    seen = [
        chunk.globals_.tolist() for chunk in Reader(BytesIO(file.getvalue())) if chunk.globals_ is not None
    ]
    assert seen == [[[0, 7]]] * 3 + [[[3, 7]]] * 2


@given(st.integers(0, (1 << 49) - 1), st.integers(1, 7))
def test_numbers_come_back_short_or_stretched(value: int, width_bytes: int) -> None:
    assert Varint().parse(pack_varint(value)) == value
    stretched = pack_varint(value, width_bytes)
    assert len(stretched) == max(width_bytes, len(pack_varint(value)))
    assert LENGTH.parse(stretched) == value


@pytest.mark.parametrize("rate_hz", [*RATES_HZ, 4_001, 383_999], ids=str)
def test_every_rate_comes_back_in_one_byte_if_it_is_common(rate_hz: int) -> None:
    of = header(0, rate_hz=rate_hz)
    size = len(pack_header(of).data)
    assert size == 15 if rate_hz in RATES_HZ else size > 16
    assert Reader(BytesIO(stream(of))).header == of


def test_rate_codes_are_in_order_and_fit_five_bits() -> None:
    assert all(low < high for low, high in pairwise(RATES_HZ))
    assert len(RATES_HZ) < 32
