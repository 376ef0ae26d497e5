"""Checks, for --skip-existing, whether an existing target is what a conversion would make."""

from __future__ import annotations

from mlcfile import NotMlcError

from melcodec_cli.audio import format_for, open_source, resampled_length
from melcodec_cli.codec.decompression import DecompressSettings
from melcodec_cli.codec.inspection import Inspection, inspect
from melcodec_cli.errors import MelcodecError, MlcCorrupt
from melcodec_cli.files.targets import Pair


def inspect_file(path: str) -> Inspection:
    with open(path, "rb") as file:
        return inspect(file)


def is_sound_mlc(pair: Pair) -> bool:
    """True if every checksum, length and digest of the target is right."""
    return inspect_file(pair.target).failure(pair.target) is None


def is_damaged_mlc(pair: Pair) -> bool:
    """True if the target is a damaged .mlc file, rather than one of a newer version or another kind of file."""
    inspection = inspect_file(pair.target)
    failure = inspection.failure(pair.target)
    return isinstance(failure, MlcCorrupt) and not isinstance(inspection.error, NotMlcError)


def is_same_length(pair: Pair, settings: DecompressSettings) -> bool:
    """True if the target is audio of the rate, channels and length that decompressing would give."""
    streams = inspect_file(pair.source).streams
    if not streams or not all(stream.complete for stream in streams):
        return False
    rate_hz = settings.rate_of(streams[0].header)
    samples = sum(resampled_length(stream.samples or 0, stream.header.rate_hz, rate_hz) for stream in streams)
    first, last = settings.range_of(rate_hz)
    samples = max(0, (samples if last is None else min(last, samples)) - first)
    if format_for(pair.target) == "raw":
        return True  # it has no header to compare, and only complete outputs get their name
    try:
        with open_source(pair.target) as source:
            found = (source.rate_hz, source.channels, samples if source.samples is None else source.samples)
    except MelcodecError:
        return False
    return found == (rate_hz, settings.channels_of(streams[0].header), samples)
