"""Streams that are damaged, cut short, or not what they claim to be."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlcfile import Globals, Header, Layout, Reader, Writer

import melcodec_cli
from melcodec_cli.errors import MlcCorrupt, MlcTruncated, ModelMissing, Unsupported
from tests.sounds import assert_same_audio, noise, wav

pytestmark = pytest.mark.slow

Call = Callable[..., Any]


def damaged(data: bytes, chunk: int) -> bytes:
    """The data with one bit of this chunk's indices flipped."""
    reader = Reader(io.BytesIO(data))
    block = next(block for block in reader.blocks() if block.name == "CODES" and block.chunk == chunk)
    broken = bytearray(data)
    broken[block.offset + 10] ^= 4
    return bytes(broken)


def test_damage_is_an_error_that_says_where(compress: Call, decompress: Call) -> None:
    data = damaged(compress(noise(8), rate_hz=16000), chunk=2)
    with pytest.raises(MlcCorrupt, match=r"chunk 2, from 3\.20 s"):
        decompress(data)


def test_concealed_damage_leaves_all_else_in_its_place(compress: Call, decompress: Call) -> None:
    data = compress(noise(8), rate_hz=16000)
    whole, _ = decompress(data)
    with pytest.warns(UserWarning) as told:
        concealed, _ = decompress(damaged(data, chunk=2), conceal=True)
    assert any("lost 3.20-4.80 s" in str(warning.message) for warning in told)
    assert concealed.shape == whole.shape
    unheard = 1.5 * 16000  # as far as the field of the lost tokens reaches
    first, last = round(3.2 * 16000 - unheard), round(4.8 * 16000 + unheard)
    assert_same_audio(concealed[:first], whole[:first])
    assert_same_audio(concealed[last:], whole[last:])


def test_concealment_does_not_invent_hours_of_silence(compress: Call, decompress: Call) -> None:
    header = Reader(io.BytesIO(compress(noise(1), rate_hz=16000))).header
    file = io.BytesIO()
    Writer(file, dataclasses.replace(header, samples=1 << 40))
    with pytest.warns(UserWarning) as told:
        audio, _ = decompress(file.getvalue(), conceal=True)
    assert any("lost 0.00-" in str(warning.message) for warning in told)
    assert audio.shape == (0,)


def test_truncated_stream_gives_its_complete_chunks_and_then_the_error(
    compress: Call, decompress: Call, tmp_path: Path
) -> None:
    data = compress(noise(8), rate_hz=16000)
    whole, _ = decompress(data)
    target = tmp_path / "part.wav"
    with pytest.raises(MlcTruncated, match=r"the 6\.40 s before that were decoded"):
        decompress(data[:-20], str(target), subtype="FLOAT")
    import soundfile

    part, _ = soundfile.read(target, dtype="float32")
    assert part.shape == (round(6.4 * 16000),)
    assert_same_audio(part[: 5 * 16000], whole[: 5 * 16000])


def test_nothing_remains_of_a_stream_that_breaks_off_in_its_first_chunk(
    compress: Call, decompress: Call, tmp_path: Path
) -> None:
    with pytest.raises(MlcTruncated):
        decompress(compress(noise(1), rate_hz=16000)[:30], str(tmp_path / "part.wav"))
    assert not list(tmp_path.iterdir())


def rewritten(data: bytes, **changes: Any) -> bytes:
    """The stream's chunks after a header with these changes; with another layout, zeros of its shape."""
    old = Reader(io.BytesIO(data))
    header = dataclasses.replace(old.header, **changes)
    file = io.BytesIO()
    with Writer(file, header) as writer:
        for chunk in old:
            shape = (header.coded_channels, chunk.indices.shape[1], header.layout.rows)
            same = header.layout == old.header.layout and header.globals_ == old.header.globals_
            globals_ = header.globals_ and np.zeros((header.coded_channels, header.globals_.count), int)
            writer.write_chunk(*(chunk.indices, chunk.globals_) if same else (np.zeros(shape, int), globals_))
    return file.getvalue()


def test_a_file_of_an_unknown_model_is_refused_naming_both_ids(
    only_tiny_bundle: Path, compress: Call
) -> None:
    data = compress(noise(1), rate_hz=16000)
    own_id = Reader(io.BytesIO(data)).header.bitstream_id.hex()
    with pytest.raises(ModelMissing, match=f"01020304; installed: speech-16k .{own_id}"):
        melcodec_cli.decompress(rewritten(data, bitstream_id=bytes.fromhex("01020304")))


def test_another_renderer_is_a_warning(compress: Call, decompress: Call) -> None:
    data = compress(noise(1), rate_hz=16000)
    with pytest.warns(UserWarning, match="made for renderer 1234"):
        audio, _ = decompress(rewritten(data, renderer_id=b"\x12\x34"))
    assert_same_audio(audio, decompress(data)[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": Layout(index_bits=16, chunk_frames=40)},
        {"layout": Layout(rows=2, chunk_frames=40)},
        {"layout": Layout(kind="column", chunk_frames=40)},
        {"globals_": None},
        {"globals_": Globals(9, 3)},
    ],
    ids=["wider", "more rows", "a grid", "no globals", "more globals"],
)
def test_indices_of_another_shape_than_the_named_model_has_are_refused(
    compress: Call, decompress: Call, changes: dict[str, Any]
) -> None:
    with pytest.raises(MlcCorrupt, match="it names"):
        decompress(rewritten(compress(noise(1), rate_hz=16000), **changes))


def test_the_refiner_takes_the_steps_it_is_told(compress: Call, decompress: Call) -> None:
    data = compress(noise(1), rate_hz=16000)
    none, one, two = (decompress(data, steps=steps)[0] for steps in (0, 1, 2))
    assert np.abs(none - one).max() > 0.01 and np.abs(one - two).max() > 0.01
    assert_same_audio(decompress(data, steps=0)[0], none)


def test_another_kind_of_file_is_refused_with_what_it_looks_like(decompress: Call) -> None:
    with pytest.raises(MlcCorrupt, match="WAV"):
        decompress(wav(noise(0.1)))


def test_chunks_of_hours_are_refused(decompress: Call) -> None:
    file = io.BytesIO()
    Writer(file, Header(bytes(4), bytes(2), 16000, 1, 640, layout=Layout(chunk_frames=60_000)))
    with pytest.raises(Unsupported, match="chunks of 2400 s"):
        decompress(file.getvalue())
