"""`melcodec info`: what a file holds and whether this installation can decode it."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from melcodec_cli.errors import ExitCode, MelcodecError
from melcodec_cli.report.console import show_fact, show_json, show_line

if TYPE_CHECKING:
    from mlcfile import Header

    from melcodec_cli.codec.inspection import Inspection, Stream
    from melcodec_cli.models.installed import BundleInfo
    from melcodec_cli.systems.system import Latency

STREAMS_SHOWN = 1000  # a megabyte of file can hold fifty times as many


@click.command(short_help="Show what .mlc files hold.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "json_lines", is_flag=True, help="Print one JSON object per file.")
def info(files: tuple[str, ...], json_lines: bool) -> None:
    """Show header, bitrates, blocks, tags and models of each FILE ("-" for standard input).

    Says which installed model decodes the file, and needs neither the model nor torch. A damaged file is shown
    as far as it can be read; the exit status is then that of "melcodec verify".

    \b
    Examples:
      melcodec info talk.wav.mlc
      melcodec info --json *.mlc | jq .duration_s
    """
    from melcodec_cli.codec.inspection import Inspection
    from melcodec_cli.report.inspected import inspect_each

    def tell(name: str, inspection: Inspection, failure: MelcodecError | None) -> None:
        if json_lines:
            show_json(_record(name, inspection, failure))
            return
        for number, stream in enumerate(inspection.streams[:STREAMS_SHOWN], 1):
            title = name if len(inspection.streams) == 1 else f"{name}, stream {number}"
            show_line(title)
            for label, value in _facts(stream):
                show_fact(label, value)
        if len(inspection.streams) > STREAMS_SHOWN:
            more = len(inspection.streams) - STREAMS_SHOWN
            show_line(f"{name}: and {more} more streams (use --json to show all)")

    _bundle_for.cache_clear()
    inspect_each(files, tell)


@cache
def _bundle_for(bitstream_id: bytes, renderer_id: bytes) -> "BundleInfo | None":
    """The bundle for a stream, looked up once, as a file may have thousands of streams."""
    from melcodec_cli.models.installed import bundle_for

    return bundle_for(bitstream_id, renderer_id)


def _record(name: str, inspection: "Inspection", failure: MelcodecError | None) -> dict[str, Any]:
    """The facts as JSON; the keys must not change."""
    from melcodec_cli.codec.inspection import stream_json

    streams = []
    for stream in inspection.streams:
        bundle = _bundle_for(stream.header.bitstream_id, stream.header.renderer_id)
        streams.append(
            stream_json(stream)
            | {
                "bundle": bundle.name if bundle else None,
                "bundle_licence": bundle.licence if bundle else None,
                "bundle_renders": bool(bundle and bundle.renderer_id == stream.header.renderer_id.hex()),
                "latency": vars(waiting) if (waiting := _latency(bundle, stream)) else None,
            }
        )
    return {
        "source": name,
        "exit_code": failure.exit_code if failure else ExitCode.OK,
        "error": failure.message if failure else None,
        "mlc_bytes": inspection.size_bytes,
        "duration_s": round(inspection.duration_s, 6),
        "streams": streams,
    }


def _latency(bundle: "BundleInfo | None", stream: "Stream") -> "Latency | None":
    shape = bundle.shape if bundle and stream.header.packet_frames is None else None
    return shape.latency(stream.header.layout.chunk_frames) if shape else None


def _live_fact(header: "Header", bundle: "BundleInfo | None") -> str:
    frames = header.packet_frames or 1
    packets = f"packets of {frames} frame{'s' * (frames > 1)}, {header.packet_bytes} bytes"
    if bundle is None or bundle.live is None:
        return packets
    waiting_s = (frames - 1) * header.layout.frame_samples / header.layout.model_rate_hz
    return f"{packets}, with a delay of {1000 * (bundle.live.delay_s + waiting_s):.1f} ms"


def _facts(stream: "Stream") -> Iterator[tuple[str, str]]:
    """The facts as (label, value) for each line."""
    from melcodec_cli.models.installed import how_to_get

    header, layout, globals_ = stream.header, stream.header.layout, stream.header.globals_
    samples = "length unknown" if stream.samples is None else f"{stream.samples} samples"
    channels = f"{header.channels} channels" if header.channels > 1 else "1 channel"
    if header.channels > 1:
        channels += ", each coded" if header.all_channels else ", coded as one"
    yield "original", f"{stream.duration_s:.2f} s, {samples} at {header.rate_hz} Hz, {channels}"

    index_bytes, global_bytes = -(-stream.index_bits // 8), -(-stream.global_bits // 8)
    rest_bytes = stream.size_bytes - index_bytes - global_bytes
    parts = [f"{index_bytes} of indices", f"{rest_bytes} of everything else"]
    if globals_:
        parts.insert(1, f"{global_bytes} of global indices")
    yield "size", f"{stream.size_bytes} bytes: {', '.join(parts)}"
    payload, total = stream.payload_bits_per_s, stream.total_bits_per_s
    if payload is not None and total is not None:
        yield "bitrate", f"{payload:.1f} bit/s payload, {total:.1f} bit/s in all"

    frames_per_s = layout.model_rate_hz / layout.frame_samples
    rows = "an index" if layout.rows == 1 else f"{layout.rows} indices ({layout.kind})"
    yield "frames", f"{frames_per_s:g} a second, {rows} of {layout.index_bits} bits each"
    if (saved := stream.saved_percent) is not None:
        coded = f"{stream.coded_chunks} of {stream.chunks} chunks"
        yield "entropy", f"coded {coded}, which saves {saved:.1f} % of the bits of the indices"
    if header.packet_frames is not None:
        yield "live", _live_fact(header, _bundle_for(header.bitstream_id, header.renderer_id))
    if globals_:
        yield "global", f"{globals_.count} indices of {globals_.bits} bits a {globals_.scope}"
    yield "chunks", f"{stream.chunks} of up to {layout.chunk_frames / frames_per_s:.2f} s"
    if header.packet_frames is None:
        yield "blocks", ", ".join(f"{count} {name}" for name, count in stream.blocks.items())

    bundle = _bundle_for(header.bitstream_id, header.renderer_id)
    verdict = f"installed: {bundle.name}" if bundle else "not installed, so the file cannot be decoded"
    yield "bitstream id", f"{header.bitstream_id.hex()} ({verdict})"
    renderer = header.renderer_id.hex()
    if bundle and bundle.renderer_id != renderer:
        yield "renderer id", f"{renderer} (not installed; {bundle.renderer_id} will sound a little different)"
    else:
        yield "renderer id", f"{renderer} ({'installed' if bundle else 'not installed'})"
    yield "model", f"{bundle.name}, {bundle.licence}" if bundle else how_to_get(header.bitstream_id.hex())
    if waiting := _latency(bundle, stream):
        yield "latency", f"{waiting.compress_s:.2f} s to compress, {waiting.decompress_s:.2f} s to decompress"
    yield "format", f"version {stream.version}"
    for number, (key, value) in enumerate(stream.tags):
        yield "tags" if number == 0 else "", f"{key}={value}"
    for start_s, end_s in stream.lost_s:
        yield "lost", f"{start_s:.2f}-{end_s:.2f} s"
