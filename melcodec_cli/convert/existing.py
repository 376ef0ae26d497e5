"""Whether a target that is there already is what a conversion would make, for --skip-existing."""

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
    """Every checksum, length and digest of the target is right."""
    return inspect_file(pair.target).failure(pair.target) is None


def is_damaged_mlc(pair: Pair) -> bool:
    """The target is an .mlc file that cannot be relied upon; neither a newer version's nor something else."""
    inspection = inspect_file(pair.target)
    failure = inspection.failure(pair.target)
    return isinstance(failure, MlcCorrupt) and not isinstance(inspection.error, NotMlcError)


def is_same_length(pair: Pair, settings: DecompressSettings) -> bool:
    """The target is audio of the rate, channels and length that decompressing would give."""
    streams = inspect_file(pair.source).streams
    if not streams or not all(stream.complete for stream in streams):
        return False
    rate_hz = settings.rate_of(streams[0].header)
    samples = sum(resampled_length(stream.samples or 0, stream.header.rate_hz, rate_hz) for stream in streams)
    first, last = settings.range_of(rate_hz)
    samples = max(0, (samples if last is None else min(last, samples)) - first)
    if format_for(pair.target) == "raw":
        return True  # there is nothing in it to compare, and its name says that it is complete
    try:
        with open_source(pair.target) as source:
            found = (source.rate_hz, source.channels, samples if source.samples is None else source.samples)
    except MelcodecError:
        return False
    return found == (rate_hz, settings.channels_of(streams[0].header), samples)
