"""A stream gives the same results however it is cut, piped, batched or sought in."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlcfile import Reader

from melcodec_cli.convert.engine import LocalEngine
from melcodec_cli.convert.request import CompressRequest, DecompressRequest, Request
from melcodec_cli.errors import Unsupported, UsageProblem
from melcodec_cli.models.choose import ModelChoice, Models
from tests.sounds import CHUNK_SAMPLES, OneWay, Pipe, assert_same_audio, indices_of, noise, wav

pytestmark = pytest.mark.slow

Call = Callable[..., Any]


@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_file_and_pipe_in_odd_pieces_give_the_same_indices(compress: Call, rate_hz: int) -> None:
    recording = wav(noise(5.3, rate_hz), rate_hz)
    from_file = compress(io.BytesIO(recording))
    from_pipe = compress(Pipe(recording))
    assert indices_of(from_file) == indices_of(from_pipe)
    assert len(indices_of(from_file)) == 4
    assert Reader(io.BytesIO(from_file)).header.samples == round(5.3 * rate_hz)


def test_pipe_and_file_outputs_differ_only_in_the_length_of_the_header(compress: Call) -> None:
    recording = wav(noise(2.0))
    file, pipe = io.BytesIO(), OneWay()
    compress(Pipe(recording), file)
    compress(Pipe(recording), pipe)
    with_length, without = Reader(io.BytesIO(file.getvalue())), Reader(io.BytesIO(pipe.received))
    assert (with_length.header.samples, without.header.samples) == (32000, None)
    assert indices_of(file.getvalue()) == indices_of(pipe.received)
    list(without)
    assert without.end and without.end.samples == 32000


def test_chunks_have_the_length_asked_for(compress: Call) -> None:
    recording = noise(4.0)
    lengths = [len(chunk) for chunk, _ in indices_of(compress(recording, rate_hz=16000, chunk_s=1.0))]
    assert lengths == [25, 25, 25, 25]


@pytest.mark.parametrize("threads", [1, 2])
def test_other_files_and_their_order_and_threads_change_not_a_bit(
    only_tiny_bundle: Path, compress: Call, decompress: Call, threads: int
) -> None:
    models = Models(quiet, lambda line: None, ModelChoice(threads=threads))
    recordings = [noise(seconds, seed=seed) for seed, seconds in enumerate([3.3, 0.2, 1.6, 5.0, 0.7])]
    alone = [compress(recording, rate_hz=16000) for recording in recordings]
    decoded_alone = [decompress(data)[0].tobytes() for data in alone]
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1]):
        files = [io.BytesIO() for _ in order]
        run_all(
            models,
            [
                CompressRequest(io.BytesIO(wav(recordings[number])), file)
                for number, file in zip(order, files, strict=True)
            ],
        )
        assert [file.getvalue() for file in files] == [alone[number] for number in order]

        outputs = [io.BytesIO() for _ in order]
        run_all(
            models,
            [
                DecompressRequest(io.BytesIO(alone[number]), output, form="raw", subtype="f32le")
                for number, output in zip(order, outputs, strict=True)
            ],
        )
        assert [output.getvalue() for output in outputs] == [decoded_alone[number] for number in order]


def test_short_files_do_not_wait_for_long_ones(only_tiny_bundle: Path) -> None:
    models = Models(quiet, lambda line: None)
    lengths_s = [16, 0.5, 9, 0.7, 0.2, 3, 0.1, 0.4, 0.3, 0.6]
    requests = [CompressRequest(io.BytesIO(wav(noise(seconds))), io.BytesIO()) for seconds in lengths_s]
    ended = [outcome.record.duration_s for outcome in LocalEngine(models, quiet).convert(requests)]
    assert sorted(ended) == sorted(lengths_s)
    assert ended[-2:] == [9, 16]


def quiet(topic: str, line: str) -> None:
    pass


def run_all(models: Models, requests: list[Request]) -> None:
    for outcome in LocalEngine(models, quiet).convert(requests):
        assert outcome.error is None


@pytest.mark.parametrize(
    "samples",
    [
        0,
        1,
        159,
        160,
        161,
        639,
        640,
        641,
        *(CHUNK_SAMPLES + extra for extra in (-1, 0, 1, 640)),
        2 * CHUNK_SAMPLES,
    ],
)
def test_length_is_exact_around_every_hop_and_chunk_boundary(
    compress: Call, decompress: Call, samples: int
) -> None:
    data = compress(noise(samples / 16000), rate_hz=16000)
    assert sum(len(indices) for indices, _ in indices_of(data)) == -(-samples // 640)
    audio, rate_hz = decompress(data)
    assert (audio.shape, rate_hz) == ((samples,), 16000)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000, 12347])
@pytest.mark.parametrize("samples", [1, 441, 17640, 70561])
def test_length_and_rate_are_exact_at_other_rates(
    compress: Call, decompress: Call, rate_hz: int, samples: int
) -> None:
    audio, found_hz = decompress(compress(noise(samples / rate_hz, rate_hz), rate_hz=rate_hz))
    assert (audio.shape, found_hz) == ((samples,), rate_hz)


@pytest.mark.parametrize("rate_hz", [16000, 44100, 12347])
@pytest.mark.parametrize(
    ("start_s", "end_s"),
    [(0.0, 0.5), (0.01, 1.6), (1.59, 1.61), (1.6, 3.2), (3.3, 7.9), (5.0, None), (7.99, 20.0)],
    ids=["beginning", "first chunk", "seam", "second chunk", "long", "to the end", "past the end"],
)
def test_a_range_equals_the_same_samples_of_the_whole(
    compress: Call, decompress: Call, rate_hz: int, start_s: float, end_s: float | None
) -> None:
    data = cached(compress, rate_hz)
    whole = cached(decompress, data)
    part, _ = decompress(data, start_s=start_s, end_s=end_s)
    expected = whole[round(start_s * rate_hz) : None if end_s is None else round(end_s * rate_hz)]
    assert_same_audio(part, expected)
    through_pipe, _ = decompress(Pipe(data), start_s=start_s, end_s=end_s)
    assert_same_audio(through_pipe, expected)


_cache: dict[Any, Any] = {}


def cached(call: Call, what: Any) -> Any:
    """Eight seconds compressed at a rate, and decompressed; made once for all ranges."""
    if what not in _cache:
        _cache[what] = call(noise(8.0, what), rate_hz=what) if isinstance(what, int) else call(what)[0]
    return _cache[what]


def test_a_range_reads_only_what_it_needs(compress: Call, decompress: Call) -> None:
    data = bytearray(compress(noise(30), rate_hz=16000))
    whole, _ = decompress(bytes(data))
    data[len(data) // 10] ^= 1  # three seconds in, long before the range
    part, _ = decompress(io.BytesIO(data), start_s=20, end_s=21)
    assert_same_audio(part, whole[20 * 16000 : 21 * 16000])


def test_a_start_beyond_the_end_is_refused(compress: Call, decompress: Call) -> None:
    with pytest.raises(UsageProblem, match="beyond the end at 1.00 s"):
        decompress(compress(noise(1), rate_hz=16000), start_s=2)
    with pytest.raises(UsageProblem, match="not after the start"):
        decompress(b"", start_s=2, end_s=2)


def test_decoding_from_a_pipe_equals_decoding_a_file(compress: Call, decompress: Call) -> None:
    data = compress(noise(5.3, 44100), rate_hz=44100)
    assert_same_audio(decompress(Pipe(data))[0], decompress(data)[0])


def test_stereo_is_mixed_down_with_a_notice_and_comes_back_as_two_equal_channels(
    compress: Call, decompress: Call
) -> None:
    stereo = noise(2, channels=2)
    with pytest.warns(UserWarning, match="2 channels are mixed down to one"):
        mixed = compress(stereo, rate_hz=16000)
    assert indices_of(mixed) == indices_of(compress(stereo.mean(axis=1), rate_hz=16000))
    audio, _ = decompress(mixed)
    assert audio.shape == (32000, 2)
    np.testing.assert_array_equal(audio[:, 0], audio[:, 1])


def test_kept_channels_are_coded_each_as_if_it_were_alone(compress: Call, decompress: Call) -> None:
    stereo = noise(2, channels=3)
    audio, _ = decompress(compress(stereo, rate_hz=16000, keep_channels=True))
    for channel in range(3):
        alone, _ = decompress(compress(stereo[:, channel], rate_hz=16000))
        assert_same_audio(audio[:, channel], alone)


def test_concatenated_streams_play_one_after_the_other(compress: Call, decompress: Call) -> None:
    first, second = (compress(noise(2.5, seed=seed), rate_hz=16000) for seed in (1, 2))
    expected = np.concatenate([decompress(first)[0], decompress(second)[0]])
    assert_same_audio(decompress(first + second)[0], expected)
    assert_same_audio(decompress(Pipe(first + second))[0], expected)
    part, _ = decompress(first + second, start_s=2.2, end_s=3.0)
    assert_same_audio(part, expected[round(2.2 * 16000) : 3 * 16000])
    part, _ = decompress(first + second, start_s=2.7)
    assert_same_audio(part, expected[round(2.7 * 16000) :])


def test_a_second_stream_takes_the_rate_of_the_first_and_must_have_its_channels(
    compress: Call, decompress: Call
) -> None:
    first = compress(noise(1), rate_hz=16000)
    audio, rate_hz = decompress(first + compress(noise(1, 8000), rate_hz=8000))
    assert (audio.shape, rate_hz) == ((32000,), 16000)
    stereo = compress(noise(1, channels=2), rate_hz=16000, keep_channels=True)
    with pytest.raises(Unsupported, match="2 channels follows one of 1"):
        decompress(first + stereo)


def test_output_at_another_rate(compress: Call, decompress: Call) -> None:
    audio, rate_hz = decompress(compress(noise(1, 44100), rate_hz=44100), rate_hz=24000)
    assert (audio.shape, rate_hz) == ((24000,), 24000)


@pytest.mark.parametrize("chunk_s", [0.4, 61])
def test_chunk_lengths_out_of_range_are_refused(compress: Call, chunk_s: float) -> None:
    with pytest.raises(UsageProblem, match="outside 0.5 to 60 s"):
        compress(noise(1), rate_hz=16000, chunk_s=chunk_s)
