"""`melcodec bench`: speed, memory and size of every stage."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from melcodec_cli.commands.options import complete_bundle_or_file, model_options
from melcodec_cli.report.console import show_json, show_line, show_table

if TYPE_CHECKING:
    from melcodec_cli.bench.batch import BatchBenchmark
    from melcodec_cli.bench.stages import Audio, Benchmark, Figures
    from melcodec_cli.systems.system import Model

SECONDS, REPEATS = 60.0, 5
LIVE_SECONDS = 10.0
BATCH_SECONDS, BATCH_REPEATS = 3000.0, 2


@click.command(short_help="Measure speed and memory of every stage.")
@click.argument("places", metavar="[FOLDER|FILE]...", nargs=-1)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    metavar="S",
    help="How many seconds to code; a shorter recording is repeated.  [default: 60; 3000 with --batch, 10 with --live]",
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="How many runs to take the median of.  [default: 5; 2 with --batch]",
)
@click.option(
    "--batch",
    is_flag=True,
    help="Compare 3-second clips with one file of the same audio, from disk to disk.",
)
@click.option(
    "--start",
    is_flag=True,
    help="Compare the processor time of a 2-second clip from a cold start with that of importing torch.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Measure a live stream: delay, processor time of a frame, and how many streams a core carries.",
)
@click.option("--steps", type=click.IntRange(0, 64), metavar="N", help="Steps of the refiner; 0 skips it.")
@click.option(
    "--bundle",
    metavar="FILE|NAME",
    shell_complete=complete_bundle_or_file,
    help="The model to measure.  [default: speech-16k]",
)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(
    places: tuple[str, ...],
    seconds: float | None,
    repeat: int | None,
    batch: bool,
    start: bool,
    live: bool,
    steps: int | None,
    bundle: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure how fast this machine compresses and decompresses, and how long each stage of the model takes.

    MFLOPS are the millions of additions and multiplications that a second of audio takes.

    Codes a bundled recording of speech, or what is given, from memory to memory, without the time to load the model.
    Stages are measured on one CPU thread.

    \b
    Examples:
      melcodec bench
      melcodec bench --seconds 10 --repeat 20 recordings/
      melcodec bench --bundle speech-48k      once it is installed
      melcodec bench --json --threads 1
      melcodec bench --batch                  1000 clips of 3 s, which takes minutes
      melcodec bench --batch --seconds 60     20 of them
      melcodec bench --live --bundle speech-24k-live
      melcodec bench --start                  from a cold start
    """
    from melcodec_cli.audio.suffixes import AUDIO_SUFFIXES
    from melcodec_cli.bench.batch import BatchBenchmark
    from melcodec_cli.bench.stages import Benchmark, read_audio
    from melcodec_cli.evaluate.clip import CLIP
    from melcodec_cli.files.inputs import Selection, named
    from melcodec_cli.models.choose import ModelChoice, Models

    seconds = seconds or (BATCH_SECONDS if batch else LIVE_SECONDS if live else SECONDS)
    repeat = repeat or (BATCH_REPEATS if batch else REPEATS)
    paths = [found.path for found in named(places, Selection(AUDIO_SUFFIXES))] or [str(CLIP)]
    choice = ModelChoice(device, threads, bundle)
    models = Models(lambda topic, line: None, lambda line: None, choice)
    model = models.encoder().model
    rate_hz = model.system.shape.rate_hz
    decode_options = {} if steps is None else {"steps": steps}
    audio = read_audio(paths, rate_hz, seconds)
    if live:
        _bench_live(model, audio, str(models.bundle_for_rate(rate_hz).path), as_json)
    elif start:
        _bench_start(audio, rate_hz, bundle, repeat, as_json)
    elif batch:
        _bench_batch(BatchBenchmark(models, audio, rate_hz, decode_options), repeat, as_json)
    else:
        _bench_parts(Benchmark(model, audio, decode_options, threads), repeat, as_json)


def _bench_parts(benchmark: Benchmark, repeat: int, as_json: bool) -> None:
    stages, ways = benchmark.stages(repeat), benchmark.ways(repeat)
    if as_json:
        show_json(_document(benchmark, repeat, stages, ways))
    else:
        _print_table(benchmark, repeat, [*stages, *ways])


def _bench_start(audio: Audio, rate_hz: int, bundle: str | None, repeat: int, as_json: bool) -> None:
    from melcodec_cli.bench.start import CLIP_S, measure_start

    ways = measure_start(audio, rate_hz, bundle, repeat)
    if as_json:
        document = {"clip_s": CLIP_S, "repeats": repeat, "ways": [vars(figures) for figures in ways]}
        show_json(document)
        return
    show_line(
        f"processor time of {CLIP_S} s of audio from a cold start, on one thread, median of {repeat} runs"
    )
    for figures in ways:
        times = f"{figures.cpu_s:.2f} s, import torch {figures.torch_cpu_s:.2f} s"
        show_line(f"{figures.name:<11}{times}: {figures.ratio:.2f} times as long")


def _bench_live(model: Model, audio: Audio, bundle: str, as_json: bool) -> None:
    from melcodec_cli.bench.live import measure_pipe, measure_sessions

    figures = measure_sessions(model, audio)
    shape = model.system.shape
    pipe = measure_pipe(bundle, shape.rate_hz, shape.frame_samples, audio)
    if as_json:
        show_json({"model": model.name, **vars(figures), "pipe": vars(pipe)})
        return
    frame_ms = 1000 * figures.frame_s
    show_line(
        f"live with {model.name}: frames of {frame_ms:g} ms, a delay of {1000 * figures.delay_s:.1f} ms"
    )
    for name, each_s, streams in (
        ("compress", figures.encode_s, figures.encoded_streams),
        ("decompress", figures.decode_s, figures.decoded_streams),
    ):
        show_line(f"{name:<11}{1000 * each_s:.2f} ms a frame: one core carries {streams} at a time")
    show_line(
        f"pipe       {1000 * pipe.median_s:.1f} ms more until a frame is through, {1000 * pipe.late_s:.1f} ms "
        f"for the slowest twentieth, over {pipe.frames} frames"
    )


def _bench_batch(benchmark: BatchBenchmark, repeat: int, as_json: bool) -> None:
    from melcodec_cli.bench.batch import CLIP_S

    ways = benchmark.run(repeat)
    if as_json:
        document = {"clips": benchmark.clips, "clip_s": CLIP_S, "duration_s": benchmark.duration_s}
        show_json(document | {"repeats": repeat, "ways": [vars(figures) for figures in ways]})
        return
    show_line(f"{benchmark.clips} clips of {CLIP_S} s against one file of {benchmark.duration_s:g} s")
    for figures in ways:
        times = f"{figures.clips_s:.2f} s against {figures.one_file_s:.2f} s"
        show_line(f"{figures.name:<11}{times}: {figures.ratio:.2f} times as long")


def _document(
    benchmark: Benchmark, repeat: int, stages: list[Figures], ways: list[Figures]
) -> dict[str, Any]:
    """The figures as JSON; the keys must not change."""
    return {
        "model": benchmark.model.name,
        "device": str(benchmark.system.device),
        "threads": benchmark.encoder.workers,
        "options": _decode_options(benchmark),
        "duration_s": benchmark.duration_s,
        "repeats": repeat,
        "mlc_bytes": benchmark.mlc_bytes,
        "latency_samples": benchmark.latency_samples,
        "stages": [vars(figures) for figures in stages],
        "ways": [vars(figures) for figures in ways],
    }


def _decode_options(benchmark: Benchmark) -> dict[str, int]:
    """All decoding options by name, with defaults for those not set."""
    options = [option for option in benchmark.system.options if option.way == "decode"]
    return {option.name: benchmark.decoder.options.get(option.name, option.default) for option in options}


def _print_table(benchmark: Benchmark, repeat: int, rows: list[Figures]) -> None:
    where = str(benchmark.system.device)
    if where == "cpu":
        where += f", {benchmark.encoder.workers} threads (stages: 1)"
    options = "".join(f", --{name} {value}" for name, value in _decode_options(benchmark).items())
    what = f"{benchmark.duration_s:g} s with {benchmark.model.name}"
    show_line(f"{what} on {where}{options}, median of {repeat}")
    if benchmark.latency_samples is not None:
        rate_hz = benchmark.system.shape.rate_hz
        delay = f"{benchmark.latency_samples} samples, {1000 * benchmark.latency_samples / rate_hz:.1f} ms"
        show_line(f"delay of a live stream: {delay}")
    show_line("")
    table = [
        (
            figures.name,
            "" if figures.parameters is None else f"{figures.parameters / 1e6:.2f} M",
            "" if figures.mflops is None else f"{figures.mflops:.0f}",
            f"{figures.seconds:.3f} s",
            f"{figures.times_real_time:.0f}",
            "" if figures.peak_bytes is None else f"{figures.peak_bytes / 1e6:.0f} MB",
        )
        for figures in rows
    ]
    ways = [figures.name for figures in rows].index("compress")
    titles = ("stage", "parameters", "MFLOPS", "time", "times\nreal time", "peak\nmemory")
    show_table(titles, [table[:ways], table[ways:]], sys.stdout)
