"""Chooses the reader for an input and the writer for an output."""

import os
import stat
from collections.abc import Mapping
from typing import BinaryIO, cast

from mlcfile.header_bytes import MAGIC as MLC_MAGIC

from melcodec_cli.audio import au_source, wav_source
from melcodec_cli.audio.formats import FORMATS
from melcodec_cli.audio.raw import RawFormat, encoding_named
from melcodec_cli.audio.sink import AudioSink, PcmSink, start_of
from melcodec_cli.audio.source import AudioSource, PcmSource
from melcodec_cli.audio.stream import ByteStream, reason
from melcodec_cli.audio.wav_header import WavHeader
from melcodec_cli.errors import AudioUnreadable, UsageProblem
from melcodec_cli.files.standard import standard_input


def open_source(
    where: str | os.PathLike[str] | BinaryIO, raw: RawFormat | None = None, live: bool = False
) -> AudioSource:
    """Open a path, "-" for standard input, or a binary file object (which the caller closes).

    WAV, AU and raw PCM are read as they arrive. Other formats need a seekable file: unless `where` is the path of
    one, they are first copied to a temporary file.  `live` refuses them.
    """
    if not isinstance(where, str | os.PathLike):
        name = getattr(where, "name", None)  # a pipe's name is its descriptor, a number
        return _recognise(ByteStream(where, name if isinstance(name, str) else "audio input"), raw, live=live)
    if where == "-":
        return _recognise(ByteStream(standard_input(), "standard input"), raw, live=live)
    path = os.fspath(where)
    try:
        file = cast(BinaryIO, open(path, "rb", buffering=0))  # noqa: SIM115 (the source closes it)
    except OSError as error:
        raise AudioUnreadable(reason(error), path) from error
    try:
        stream = ByteStream(file, path)
        regular = file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
        source = _recognise(stream, raw, regular, live)
    except BaseException:
        file.close()
        raise
    source.close_with(file)
    return source


def _recognise(
    stream: ByteStream, raw: RawFormat | None, file: BinaryIO | None = None, live: bool = False
) -> AudioSource:
    """Choose the reader by the first bytes; `file` is the regular file behind the stream, if any."""
    if raw is not None:
        return PcmSource(stream, raw.rate_hz, raw.channels, encoding_named(raw.encoding))
    magic = stream.read(12)
    if not magic:
        raise AudioUnreadable("is empty", stream.name)
    if magic.startswith(MLC_MAGIC):
        raise AudioUnreadable(
            "is already an .mlc file; use melcodec decompress to turn it into audio", stream.name
        )
    for reader in (wav_source, au_source):
        if reader.recognises(magic):
            stream.rewind()
            if source := reader.open_stream(stream):
                return source
    if live:
        raise UsageProblem("only WAV, AU and raw PCM (--raw) can be coded while they arrive", stream.name)
    stream.rewind()
    from melcodec_cli.audio.encoded_source import EncodedSource  # imported late: WAV needs no libsndfile

    if file is not None:
        return EncodedSource(file, stream.name)
    spooled = stream.spool()
    try:
        source = EncodedSource(spooled, stream.name)
    except BaseException:
        spooled.close()
        raise
    source.close_with(spooled)
    return source


def open_sink(
    file: BinaryIO,
    form: str,
    rate_hz: int,
    channels: int,
    samples: int | None = None,
    subtype: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> AudioSink:
    """Start writing to a binary file object, seekable or not, in one of `FORMATS`.

    `samples` is the length to come, if known: a pipe's WAV header can only give it at the beginning.
    """
    output = FORMATS[form]
    output.check(rate_hz, channels, subtype)
    subtype = output.subtype_named(subtype)
    encoding = output.subtypes[subtype]
    if encoding is None:
        from melcodec_cli.audio.encoded_sink import EncodedSink

        return EncodedSink(file, output, rate_hz, channels, subtype, tags or {})
    header = None
    if form == "wav":
        may_change = start_of(file) is not None
        header = WavHeader(rate_hz, channels, encoding, tags or {}, samples, may_change)
    return PcmSink(file, channels, encoding, samples, header)
