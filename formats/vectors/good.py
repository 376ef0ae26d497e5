"""Sound golden files: each as its writer is told it. Their descriptions are made from this, not read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from mlcfile import Globals, Header, Layout, Packer, Tables, Writer
from mlcfile.dump import dump_header
from tables import FAR, GRID, LINE, likely

Content = dict[str, Any]  # of one block, as the description has it


class Pipe(BytesIO):
    def seekable(self) -> bool:
        return False


@dataclass(frozen=True)
class Stream:
    header: Header
    blocks: list[Content]
    samples: int | None = None  # known only at the end, if the header has none
    piped: bool = False
    tables: Tables | None = None

    def bytes(self) -> bytes:
        if self.header.packet_frames is not None:
            return packed(self.header, self.blocks)
        file = Pipe() if self.piped else BytesIO()
        writer = Writer(file, self.header, self.tables)
        for block in self.blocks:
            match block["type"]:
                case "CODES":
                    writer.write_chunk(block["indices"], block.get("globals"))
                case "GLOBAL":
                    writer.write_globals(block["globals"])
                case "TAGS":
                    writer.write_tags([(key, value) for key, value in block["tags"]])
                case "PADDING":
                    writer.write_padding(len(block["body"]) // 2)
                case unknown:
                    writer.write_ancillary(int(unknown, 16), bytes.fromhex(block["body"]))
        writer.finish(self.samples)
        return file.getvalue()

    def description(self) -> Content:
        samples = self.header.samples if self.samples is None else self.samples
        header = self.header if self.piped else replace(self.header, samples=samples)
        chunks = [block["indices"] for block in self.blocks if block["type"] == "CODES"]
        if header.packet_frames is not None:
            return {"header": dump_header(header), "blocks": self.blocks}
        end = {"type": "END", "frames": sum(len(chunk[0]) for chunk in chunks), "samples": samples}
        return {"header": dump_header(header), "blocks": [*self.blocks, end]}


def packed(of: Header, blocks: list[Content]) -> bytes:
    """A live stream of the indices of these chunks."""
    packer, made = Packer(of), []
    frames = np.concatenate([np.array(block["indices"]) for block in blocks], 1)
    for start in range(0, frames.shape[1], packer.packet_frames):
        made.append(packer.pack(frames[:, start : start + packer.packet_frames]))
    return b"".join([packer.header_bytes, *made])


def header(samples: int | None, **other: Any) -> Header:
    fields = {
        "bitstream_id": b"\x01\x23\x45\x67",
        "renderer_id": b"\x89\xab",
        "rate_hz": 16_000,
        "channels": 1,
    }
    return Header(**(fields | {"samples": samples} | other))


def numbers(bits: int, seed: int) -> Iterator[int]:
    """Lowest and highest first, then what a linear congruential generator gives."""
    yield from (0, (1 << bits) - 1)
    while True:
        seed = (seed * 1_103_515_245 + 12_345) % (1 << 31)
        yield seed >> 31 - bits


def table(bits: int, seed: int, *shape: int) -> Any:
    values = numbers(bits, seed)

    def fill(sizes: tuple[int, ...]) -> Any:
        return [fill(sizes[1:]) for _ in range(sizes[0])] if sizes else next(values)

    return fill(shape)


def chunks(of: Header, frames: int, seed: int = 1) -> list[Content]:
    """CODES blocks of so many frames, with global indices if the header has them in chunks."""
    blocks = []
    for start in range(0, frames, of.layout.chunk_frames):
        count = min(frames - start, of.layout.chunk_frames)
        block: Content = {"type": "CODES"}
        if of.globals_ and of.globals_.scope == "chunk":
            block["globals"] = table(of.globals_.bits, seed + start, of.coded_channels, of.globals_.count)
        block["indices"] = table(of.layout.index_bits, seed + start, of.coded_channels, count, of.layout.rows)
        blocks.append(block)
    return blocks


def simple(of: Header) -> list[Stream]:
    return [Stream(of, chunks(of, of.frames or 0))]


SMALL = Layout(chunk_frames=4)  # 160 ms a chunk, so that a few bytes hold several
TAGS: Content = {
    "type": "TAGS",
    "tags": [
        ["TITLE", "Grüße, 世界"],
        ["ARTIST", "one"],
        ["artist", "two=2"],
        ["COMMENT", "a\nb"],
        ["EMPTY", ""],
    ],
}
PADDING: Content = {"type": "PADDING", "body": "00" * 40}
UNKNOWN: Content = {"type": "0xf0", "body": "746f206265206b657074"}


def files() -> Iterator[tuple[str, str, list[Stream]]]:
    """(name, what it shows, streams)"""
    yield "ten-seconds", "the usual short clip: 345 bytes", simple(header(441_000, rate_hz=44_100))
    yield (
        "ten-seconds-globals",
        "with 32 x 3 bits of global indices: 359 bytes",
        simple(header(160_000, globals_=Globals(32, 3))),
    )
    full_band = Layout(model_rate_hz=48_000, chunk_frames=500)
    yield (
        "full-band",
        "eight seconds of 75 frames at 48 kHz: chunks of 500 and of 100, each with 32 x 3 bits of global indices",
        simple(header(384_000, rate_hz=48_000, layout=full_band, globals_=Globals(32, 3))),
    )
    yield "three-chunks", "two full chunks of 20 s and a last one", simple(header(700_000))
    yield "one-sample", "a frame that is hardly filled", simple(header(1))
    yield "exact-chunk", "no frame beyond the last full chunk", simple(header(4 * 640, layout=SMALL))
    yield "empty", "no samples, so no chunks", simple(header(0))
    yield (
        "other-rate",
        "22,049 samples at 22.05 kHz are 15,999.3 at the model's rate: 25 frames",
        simple(header(22_049, rate_hz=22_050)),
    )
    yield "explicit-rate", "a rate that has no code", simple(header(9_999, rate_hz=12_345, layout=SMALL))
    yield "mixed-down-stereo", "two channels of which the mean is coded", simple(header(5_000, channels=2))
    yield (
        "all-channels",
        "three channels, each coded, with global indices",
        simple(header(5_000, channels=3, all_channels=True, globals_=Globals(4, 5), layout=SMALL)),
    )
    grid = Layout(index_bits=12, rows=20, kind="column", chunk_frames=6)
    yield (
        "grid-20-rows",
        "12-bit grid of 80 mel bands in patches of 4 x 4",
        simple(header(7_000, layout=grid)),
    )
    wide = Layout(13, 12, "column", model_rate_hz=44_100, frame_samples=2_048, chunk_frames=10)
    yield (
        "grid-12-rows",
        "13-bit grid of 96 mel bands at 44.1 kHz in patches of 8 x 8, two channels, each coded",
        simple(header(44_100, rate_hz=44_100, channels=2, all_channels=True, layout=wide)),
    )
    for stages in range(1, 7):
        residual = Layout(12, stages, "stages", model_rate_hz=24_000, frame_samples=320, chunk_frames=8)
        yield (
            f"residual-{stages}-of-6-stages",
            f"12-bit residual codes, {stages} sent",
            simple(header(3_000, rate_hz=24_000, layout=residual)),
        )
    single = Layout(index_bits=13, model_rate_hz=24_000, frame_samples=600, chunk_frames=10)
    yield (
        "single-13-bits",
        "one 13-bit codebook at 40 frames a second",
        simple(header(8_000, rate_hz=24_000, layout=single)),
    )
    yield (
        "narrowest",
        "1-bit indices, whose number only the stop bit tells",
        simple(header(21 * 640, layout=Layout(index_bits=1, chunk_frames=10))),
    )
    yield (
        "widest",
        "16 bits x 32 rows x 8 channels",
        simple(header(700, channels=8, all_channels=True, layout=Layout(16, 32, chunk_frames=2047))),
    )
    stream_globals = header(12 * 640, globals_=Globals(3, 4, "stream"), layout=SMALL)
    first, second = ({"type": "GLOBAL", "globals": table(4, seed, 1, 3)} for seed in (5, 6))
    a, b, c = chunks(stream_globals, 12)
    yield (
        "globals-of-stream",
        "GLOBAL blocks: one for chunks 0 and 1, another from chunk 2 on",
        [Stream(stream_globals, [first, a, b, second, c])],
    )
    unknown = header(None, layout=SMALL)
    yield (
        "length-unknown",
        "from a pipe to a pipe: only END knows the length",
        [Stream(unknown, chunks(unknown, 6), samples=3_300, piped=True)],
    )
    yield (
        "length-patched",
        "from a pipe to a file: the length was filled in",
        [Stream(unknown, chunks(unknown, 6), samples=3_300)],
    )
    yield (
        "length-unknown-empty",
        "a pipe that nothing came from",
        [Stream(unknown, [], samples=0, piped=True)],
    )
    tagged = header(6_000, layout=SMALL)
    a, b, c = chunks(tagged, 10)
    yield (
        "ancillary",
        "tags, padding and a block of unknown type, before, between and after chunks",
        [Stream(tagged, [TAGS, PADDING, a, UNKNOWN, b, c, {"type": "TAGS", "tags": [["LATE", "yes"]]}])],
    )
    yield (
        "concatenated",
        "three streams one after the other, the second of them empty",
        [
            *simple(header(3_000, layout=SMALL)),
            *simple(header(0)),
            *simple(header(3_000, rate_hz=48_000)),
        ],
    )
    yield from entropy_coded()
    yield from live()


GRID_LAYOUT = Layout(index_bits=6, rows=5, kind="column", frame_samples=512, chunk_frames=40)


def worth_coding(of: Header, tables: Tables, frames: int) -> list[Content]:
    """CODES blocks of indices that the tables expect, in place of those of `chunks`."""
    blocks = chunks(of, frames)
    for number, block in enumerate(blocks):
        block["indices"] = likely(of, tables, len(block["indices"][0]), number + 1)
        block["entropy_coded"] = True
    return blocks


def entropy_coded() -> Iterator[tuple[str, str, list[Stream]]]:
    grid = header(105 * 512, layout=GRID_LAYOUT, tables_id=GRID.id)
    blocks = worth_coding(grid, GRID, 105)
    yield (
        "entropy-grid",
        "entropy coded: every index after the patch before it and the one below",
        [Stream(grid, blocks, tables=GRID)],
    )
    fallback = worth_coding(grid, GRID, 105)
    for block in fallback[1:]:
        block["entropy_coded"] = False
    fallback[1]["indices"] = table(6, 3, 1, 40, 5)
    fallback[2]["indices"][0][3][2] = 60
    yield (
        "entropy-raw-chunks",
        "chunks that entropy coding would make longer, and one with an index beyond the tables, stay raw",
        [Stream(grid, fallback, tables=GRID)],
    )
    line = header(None, tables_id=LINE.id)
    yield (
        "entropy-line",
        "entropy coded in the standard layout; only END knows the length",
        [Stream(line, worth_coding(line, LINE, 620), 620 * 640 - 5, True, LINE)],
    )
    voices = header(
        100 * 640,
        channels=2,
        all_channels=True,
        globals_=Globals(3, 5),
        layout=Layout(index_bits=4, rows=7, chunk_frames=70),
        tables_id=FAR.id,
    )
    yield (
        "entropy-channels-globals",
        "entropy coded: four sources, two channels, and raw global indices before the states",
        [Stream(voices, worth_coding(voices, FAR, 100), tables=FAR)],
    )
    apart = header(105 * 512, layout=GRID_LAYOUT, globals_=Globals(2, 4, "stream"), tables_id=GRID.id)
    blocks = worth_coding(apart, GRID, 105)
    globals_ = {"type": "GLOBAL", "globals": table(4, 5, 1, 2)}
    yield (
        "entropy-globals-of-stream",
        "entropy coded, with tags and a GLOBAL block between the chunks",
        [Stream(apart, [globals_, blocks[0], TAGS, *blocks[1:]], tables=GRID)],
    )


def live() -> Iterator[tuple[str, str, list[Stream]]]:
    one, six = (Layout(12, rows, "stages", 24_000, 288, chunk_frames=42) for rows in (1, 6))
    single = header(None, rate_hz=24_000, layout=one, packet_frames=1)
    yield (
        "live-1-kbit",
        "live: packets of a 12-bit frame in 2 bytes, and a check of 3 bytes after 42 of them",
        [Stream(single, chunks(single, 90))],
    )
    pairs = header(None, rate_hz=24_000, layout=one, packet_frames=2)
    yield (
        "live-1-kbit-pairs",
        "live: packets of two 12-bit frames in 3 bytes, exactly two chunks",
        [Stream(pairs, chunks(pairs, 84))],
    )
    whole = header(None, rate_hz=48_000, layout=six, packet_frames=1)
    yield "live-6-kbit", "live: packets of 9 bytes, nothing to fill", [Stream(whole, chunks(whole, 50))]
    voices = header(
        None,
        channels=2,
        all_channels=True,
        layout=Layout(index_bits=5, rows=3, chunk_frames=6),
        packet_frames=3,
    )
    yield (
        "live-two-voices",
        "live: two coded channels, 90 bits in 12 bytes",
        [Stream(voices, chunks(voices, 9))],
    )
