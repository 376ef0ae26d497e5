"""Global indices, tags and ends that break one rule each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from assembly import Broken, assemble, flip
from good import SMALL, header
from mlcfile import Globals
from mlcfile.blocks import GLOBAL, TAGS, pack_end
from mlcfile.header_bytes import pack_header
from mlcfile.payload import pack_globals
from three_chunks import CHUNKS, END_BODY, SOUND, STARTS, place, stream


def files() -> Iterator[Broken]:
    yield from globals_()
    yield from tags()
    yield from end()
    yield from after_end()


def globals_() -> Iterator[Broken]:
    error = "CorruptError"
    of = header(10 * 640, layout=SMALL, globals_=Globals(3, 4, "stream"))
    head = pack_header(of)
    start = len(head.data)
    content = (GLOBAL, pack_globals(of, np.array([[1, 2, 3]], np.uint16)))
    message = f"a GLOBAL block, but the header announces none {place(0)}"
    yield Broken(
        "global-not-announced",
        "GLOBAL blocks come only where the header says so",
        error,
        message,
        stream([content, *CHUNKS]),
    )
    per_chunk = header(10 * 640, layout=SMALL, globals_=Globals(3, 4))
    message = f"a GLOBAL block, but the header announces none {place(0, start)}"
    yield Broken(
        "global-beside-chunk-scope",
        "GLOBAL blocks come only where the header says so",
        error,
        message,
        assemble(pack_header(per_chunk), [content], None),
    )
    message = f"no GLOBAL block before the first chunk {place(0, start)}"
    yield Broken(
        "global-missing",
        "global indices of stream scope precede the first chunk",
        error,
        message,
        assemble(head, CHUNKS, END_BODY),
    )
    message = f"two GLOBAL blocks for one chunk {place(0, start + 8)}"
    yield Broken(
        "global-twice",
        "a chunk has one GLOBAL block before it",
        error,
        message,
        assemble(head, [content, content, *CHUNKS], END_BODY),
    )
    message = f"11 bits of global indices instead of 12 {place(0, start)}"
    yield Broken(
        "global-too-short",
        "a GLOBAL block holds all global indices",
        error,
        message,
        assemble(head, [(GLOBAL, b"\x12\x30"), *CHUNKS], END_BODY),
    )
    message = f"the last byte holds no stop bit {place(0, start)}"
    yield Broken(
        "global-without-stop-bit",
        "bits end with a stop bit in the last byte",
        error,
        message,
        assemble(head, [(GLOBAL, b"\x12\x00"), *CHUNKS], END_BODY),
    )


def tags() -> Iterator[Broken]:
    for name, rule, message, content in (
        ("tag-not-utf-8", "tags are UTF-8", "a tag is not UTF-8", b"\x07TITLE=\xff"),
        ("tag-without-equals", "tags are KEY=value", "a tag is not of the form KEY=value", b"\x05TITLE"),
        ("tag-without-key", "tags are KEY=value", "a tag is not of the form KEY=value", b"\x06=value"),
        (
            "tag-key-not-ascii",
            "keys are printable ASCII",
            "a tag is not of the form KEY=value",
            "\x05Tü=x".encode(),
        ),
        ("tag-past-block", "tags end with their block", "a tag reaches past its block", b"\x08TITLE=x"),
        ("tag-length-cut-off", "tags end with their block", "a tag's length is cut off", b"\x07TITLE=x\x80"),
        (
            "tag-length-stretched",
            "only the length may be stretched",
            "a number is written in more bytes than it needs",
            b"\x87\x00TITLE=x",
        ),
    ):
        yield Broken(name, rule, "CorruptError", f"{message} {place(0)}", stream([(TAGS, content), *CHUNKS]))


def end() -> Iterator[Broken]:
    error = "CorruptError"
    at = f"(byte {STARTS[4]})"
    unknown = pack_header(header(None, layout=SMALL))
    at_unknown = f"(chunk 3, from 0.48 s, byte {len(unknown.data) + STARTS[4] - STARTS[1]})"
    for name, rule, message, data in (
        (
            "end-digest",
            "the digest matches",
            f"the digest of the END block does not match {at}",
            b"".join([*SOUND[:4], flip(SOUND[4], len(SOUND[4]) - 1)]),
        ),
        (
            "end-frames-and-length",
            "END counts the frames that the length makes",
            f"6400 samples make 10 frames, not 11 {at}",
            stream(CHUNKS, pack_end(11, None)),
        ),
        (
            "end-samples-and-header",
            "END and header agree",
            f"the END block gives 6399 samples, but the header gives 6400 {at}",
            stream(CHUNKS, pack_end(10, 6399)),
        ),
        (
            "end-without-samples",
            "header or END say the length",
            f"neither the header nor the END block gives the length {at_unknown}",
            assemble(unknown, CHUNKS, pack_end(10, None)),
        ),
        (
            "end-frames-and-chunks",
            "END counts the frames that there are",
            f"the END block counts 11 frames, but 10 came before it {at_unknown}",
            assemble(unknown, CHUNKS, pack_end(11, 11 * 640)),
        ),
        ("end-empty", "END has its numbers", f"the END block is cut off {at}", stream(CHUNKS, b"")),
        ("end-cut-off", "END has its numbers", f"the END block is cut off {at}", stream(CHUNKS, b"\x8a")),
        (
            "end-stretched",
            "only the length may be stretched",
            f"a number is written in more bytes than it needs {at}",
            stream(CHUNKS, b"\x8a\x00"),
        ),
        (
            "end-too-long",
            "END has nothing but its numbers",
            f"the END block has extra bytes after its numbers {at}",
            stream(CHUNKS, pack_end(10, 6400) + b"\x00"),
        ),
    ):
        yield Broken(name, rule, error, message, data, 3)
    message = f"the END block counts 10 frames, but 4 came before it {place(1)}"
    yield Broken(
        "end-too-early", "END counts the frames that there are", error, message, stream(CHUNKS[:1]), 1
    )


def after_end() -> Iterator[Broken]:
    rule, sound = "only another stream follows END", b"".join(SOUND)
    message = f"unexpected data after the end of the stream (byte {len(sound)})"
    yield Broken("rubbish-after-end", rule, "CorruptError", message, sound + b"\n", 3)
    yield Broken("magic-cut-off-after-end", rule, "CorruptError", message, sound + b"\x8dM", 3)
    message = f"the file ends within a header (byte {len(sound)})"
    yield Broken(
        "header-cut-off-after-end", "a header is whole", "TruncatedError", message, sound + sound[:9], 3
    )
