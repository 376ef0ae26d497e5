"""The page: one HTML file with its tables, plot, pictures and sounds inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from melcodec_cli.evaluate.evaluation import Heard, Recording
from melcodec_cli.evaluate.media import picture, sound
from melcodec_cli.evaluate.metrics import METRICS
from melcodec_cli.evaluate.plot import points_of, rate_quality_svg
from melcodec_cli.evaluate.results import Evaluation
from melcodec_cli.evaluate.speech import RATE_HZ, Audio, Speech
from melcodec_cli.evaluate.statistics import RESAMPLES

TEMPLATE = Path(__file__).parent / "template"
PLAYED_CLIPS = 12  # with sounds and pictures, evenly spread; the figures are of all
SHOWN_WITH_SOUND = ("pesq_wb", "stoi", "mcd_db", "speaker_similarity")
DIGITS = {metric.key: metric.digits for metric in METRICS}


def page(
    evaluation: Evaluation,
    recordings: Sequence[Recording],
    played: Sequence[Recording],
    heard: Sequence[Heard],
) -> str:
    systems = evaluation.systems
    names = [system.name for system in systems]
    return Template((TEMPLATE / "page.html").read_text()).substitute(
        title=escape(names[0] if len(names) == 1 else f"{names[0]} beside {len(names) - 1} others"),
        summary=f"{len(recordings)} clips, {sum(each.duration_s for each in recordings) / 60:.1f} minutes of speech, "
        f"{len(systems)} systems.",
        clip_count=len(recordings),
        resamples=RESAMPLES,
        means=_means_table(evaluation),
        missing="".join(
            f'<p class="hint">Not here: {escape(name)}, {escape(reason)}.</p>'
            for name, reason in evaluation.missing.items()
        ),
        definitions="\n".join(_definitions(evaluation)),
        metric_choices="".join(
            f'<option value="{each["key"]}">{escape(each["label"])}</option>' for each in evaluation.metrics
        ),
        plots="\n".join(
            f'<div class="scroll" data-metric="{each["key"]}" tabindex="0" role="region" aria-label="Plot">'
            f"{rate_quality_svg(points_of(systems, each['key']), each['label'], each['better'])}</div>"
            for each in evaluation.metrics
        ),
        played="" if len(played) == len(recordings) else f"{len(played)} of the {len(recordings)} clips. ",
        listening="\n".join(
            _listening(recording, heard, first=not number) for number, recording in enumerate(played)
        ),
        system_choices="".join(f"<option>{escape(name)}</option>" for name in names)
        + '<option value="">all</option>',
        clips=_clips_table(evaluation),
        footer=f"melcodec {escape(evaluation.melcodec)}. Times measured on {escape(evaluation.machine)}.",
        css=(TEMPLATE / "page.css").read_text(),
        script=(TEMPLATE / "page.js").read_text(),
    )


def _definitions(evaluation: Evaluation) -> Iterable[str]:
    yield "<dt>bit/s</dt><dd>of what is coded, summed over all clips; in all: of whole files, headers included</dd>"
    for metric in evaluation.metrics:
        better = f"{metric['better']} is better"
        yield f"<dt>{escape(metric['label'])}</dt><dd>{escape(metric['means'])}; {better}</dd>"
    yield "<dt>delay</dt><dd>constant, found by the envelopes of eight bands and taken out before measuring</dd>"
    yield "<dt>code, decode</dt><dd>times real time, each clip by itself, the model being loaded</dd>"


def _means_table(evaluation: Evaluation) -> str:
    systems, metrics = evaluation.systems, evaluation.metrics
    rows = []
    for system in systems:
        cells = [_cell(system.payload_bits_per_s or None, 0), _cell(system.total_bits_per_s or None, 0)]
        for metric in metrics:
            key, digits = metric["key"], DIGITS.get(metric["key"], 3)
            found = system.mean(key)
            note = (
                "" if found.low is None else f"<small>{found.low:.{digits}f}–{found.high:.{digits}f}</small>"
            )
            cells.append(_cell(found.mean, digits, note))
        cells += [
            _cell(system.delay_ms, 1),
            _cell(1 / system.encode_share if system.encode_share else None, 0),
            _cell(1 / system.decode_share if system.decode_share else None, 0),
        ]
        rows.append(f'<tr class="{system.kind}"><td>{escape(system.name)}</td>{"".join(cells)}</tr>')
    own = [("bit/s", "lower"), ("in all", "lower")]
    behind = [("delay ms", "lower"), ("code ×", "higher"), ("decode ×", "higher")]
    titles = [("system", "lower"), *own, *((each["label"], each["better"]) for each in metrics), *behind]
    return _table(titles, rows)


def _clips_table(evaluation: Evaluation) -> str:
    metrics = evaluation.metrics
    rows = [
        f'<tr class="{system.kind}"><td>{escape(system.name)}</td><td>{escape(clip.name)}</td>'
        f"{_cell(clip.duration_s, 2)}{_cell(clip.total_bits / clip.duration_s or None, 0)}"
        + "".join(_cell(clip.scores.get(each["key"]), DIGITS.get(each["key"], 3)) for each in metrics)
        + "</tr>"
        for system in evaluation.systems
        for clip in system.clips
    ]
    own = [("system", "lower"), ("clip", "lower"), ("s", "lower"), ("bit/s in all", "lower")]
    return _table([*own, *((each["label"], each["better"]) for each in metrics)], rows)


def _table(titles: Iterable[tuple[str, str]], rows: Iterable[str]) -> str:
    heads = "".join(
        f'<th scope="col" data-better="{better}"><button type="button">{escape(title)}</button></th>'
        for title, better in titles
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table>"


def _cell(value: float | None, digits: int, note: str = "") -> str:
    if value is None:
        return '<td data-value="">–</td>'
    return f'<td data-value="{value:.6g}">{value:.{digits}f}{note}</td>'


def _listening(recording: Recording, heard: Sequence[Heard], first: bool) -> str:
    """The first clip is open, the others unfold."""
    name, original = recording.clip.name, recording.speech
    loudest = float(original.log_mel.max())
    panels = [_panel("original", "reference", [], original, loudest)]
    for each in heard:
        if name not in each.audio:
            continue
        result = next(clip for clip in each.result.clips if clip.name == name)
        labels = {metric.key: metric.label for metric in METRICS}
        scores = [
            f"{labels[key]} {value:.{DIGITS[key]}f}"
            for key in SHOWN_WITH_SOUND
            if (value := result.scores.get(key)) is not None
        ]
        rate = [f"{result.payload_bits / result.duration_s:.0f} bit/s"] if result.payload_bits else []
        decoded = Speech(_fitted(each.audio[name], len(original.audio)))
        panels.append(_panel(each.result.name, each.result.kind, [*rate, *scores], decoded, loudest))
    ticks = "".join(f"<span>{second:.1f} s</span>" for second in np.linspace(0, recording.duration_s, 5))
    return (
        f"<details{' open' if first else ''}><summary><h3>{escape(name)}</h3> "
        f'<span class="hint">{recording.duration_s:.1f} s</span></summary>\n'
        + "\n".join(panels)
        + f'\n<div class="axis" aria-hidden="true">{ticks}</div></details>'
    )


def _panel(name: str, kind: str, scores: Sequence[str], speech: Speech, loudest: float) -> str:
    seconds = len(speech.audio) / RATE_HZ
    return (
        f'<figure class="panel {kind}"><figcaption><span class="name">{escape(name)}</span>'
        + " ".join(f'<span class="score">{escape(score)}</span>' for score in scores)
        + "</figcaption>"
        f'<div class="mel" data-seconds="{seconds:.3f}"><img alt="Mel spectrogram, {escape(name)}" '
        f'src="{picture(speech, loudest)}"><span class="head"></span></div>'
        f'<audio controls preload="none" aria-label="{escape(name)}" src="{sound(speech.audio)}"></audio></figure>'
    )


def _fitted(audio: Audio, samples: int) -> Audio:
    """Cut or followed by silence, so that all pictures of a clip have one scale of time."""
    return np.pad(audio[:samples], (0, max(0, samples - len(audio))))
