"""The page: one HTML file with its tables, plot, pictures and sounds inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from melcodec_cli.evaluate.clips import spread
from melcodec_cli.evaluate.evaluation import Heard, Recording
from melcodec_cli.evaluate.media import picture, sound
from melcodec_cli.evaluate.metrics import DIGITS, METRICS
from melcodec_cli.evaluate.plot import BETTER, NARROW, WIDE, points_of, rate_quality_svg
from melcodec_cli.evaluate.results import Evaluation
from melcodec_cli.evaluate.speech import Speech
from melcodec_cli.evaluate.statistics import RESAMPLES, Interval, spent, times

TEMPLATE = Path(__file__).parent / "template"
PLAYED_S = (
    3600  # of sound in one page, about 30 MB; of more, clips evenly spread, while the figures are of all
)
RATES = (("payload bit/s", "lower"), ("total bit/s", "lower"))
TIMES = (("encode ×", "higher"), ("decode ×", "higher"))
SHOWN_WITH_SOUND = ("pesq_wb", "stoi", "mcd_db", "speaker_similarity")


def listened(recordings: Sequence[Recording], systems: int) -> list[Recording]:
    """Those whose originals and copies the page holds: all, as a rule."""
    seconds = sum(each.speech.duration_s for each in recordings) * (systems + 1)
    return spread(recordings, max(1, int(len(recordings) * PLAYED_S / seconds)))


def page(
    evaluation: Evaluation,
    recordings: Sequence[Recording],
    played: Sequence[Recording],
    heard: Sequence[Heard],
) -> str:
    systems = evaluation.systems
    names = [system.name for system in systems]
    minutes = sum(each.speech.duration_s for each in recordings) / 60
    return Template((TEMPLATE / "page.html").read_text()).substitute(
        title=escape(names[0] if len(names) == 1 else f"{names[0]} beside {len(names) - 1} others"),
        summary=f"{len(recordings)} clips, {minutes:.1f} minutes of speech, {len(systems)} "
        + ("systems." if len(systems) > 1 else "system."),
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
            f"{_plot(evaluation, each, 'wide', WIDE)}{_plot(evaluation, each, 'narrow', NARROW)}</div>"
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


def _plot(evaluation: Evaluation, metric: dict[str, str], name: str, width: int) -> str:
    points = points_of(evaluation.systems, metric["key"])
    return f'<div class="{name}">{rate_quality_svg(points, metric["label"], metric["better"], width)}</div>'


def _definitions(evaluation: Evaluation) -> Iterable[str]:
    yield "<dt>bit/s</dt><dd>over all clips together; payload: of what is coded, total: of whole files</dd>"
    for metric in evaluation.metrics:
        yield f"<dt>{escape(metric['label'])}</dt><dd>{escape(metric['means'])}; {BETTER[metric['better']]}</dd>"
    yield "<dt>delay</dt><dd>constant, found by the envelopes of eight bands and taken out before measuring</dd>"
    yield "<dt>encode, decode</dt><dd>times real time, each clip by itself, the model being loaded</dd>"


def _means_table(evaluation: Evaluation) -> str:
    systems, metrics = evaluation.systems, evaluation.metrics
    rows = []
    for system in systems:
        cells = [
            _mean_cell(spent(system.mean("payload_bits_per_s")), 0),
            _mean_cell(spent(system.mean("total_bits_per_s")), 0),
            *(_mean_cell(system.mean(key), DIGITS.get(key, 3)) for key in evaluation.keys),
            _cell(system.delay_ms, 1),
            _mean_cell(times(system.mean("encode_share_of_real_time")), 0),
            _mean_cell(times(system.mean("decode_share_of_real_time")), 0),
        ]
        rows.append(
            f'<tr class="{system.kind}"><td class="name">{escape(system.name)}</td>{"".join(cells)}</tr>'
        )
    measured = [(each["label"], each["better"]) for each in metrics]
    return _table([("system", "lower"), *RATES, *measured, ("delay ms", "lower"), *TIMES], rows)


def _mean_cell(found: Interval, digits: int) -> str:
    if found.low is None or found.high is None:
        return _cell(found.mean, digits)
    dash = "–" if found.low >= 0 else " to "
    return _cell(found.mean, digits, f"<small>{found.low:.{digits}f}{dash}{found.high:.{digits}f}</small>")


def _clips_table(evaluation: Evaluation) -> str:
    metrics = evaluation.metrics
    rows = []
    for system in evaluation.systems:
        for clip in system.clips:
            payload, total, encode, decode = clip.costs.values()
            cells = [
                _cell(clip.duration_s, 2),
                _cell(payload or None, 0),
                _cell(total or None, 0),
                *(_cell(clip.scores.get(each["key"]), DIGITS.get(each["key"], 3)) for each in metrics),
                _cell(1 / encode if encode else None, 0),
                _cell(1 / decode if decode else None, 0),
            ]
            names = f'<td>{escape(clip.name)}</td><td class="name">{escape(system.name)}</td>'
            rows.append(f'<tr class="{system.kind}">{names}{"".join(cells)}</tr>')
    own = [("clip", "lower"), ("system", "lower"), ("s", "lower"), *RATES]
    return _table([*own, *((each["label"], each["better"]) for each in metrics), *TIMES], rows)


def _table(titles: Iterable[tuple[str, str]], rows: Iterable[str]) -> str:
    heads = "".join(
        f'<th scope="col" data-better="{better}"><button type="button">{_unbroken(title)}</button></th>'
        for title, better in titles
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{chr(10).join(rows)}\n</tbody></table>"


def _unbroken(title: str) -> str:
    """Narrow by its several words, of which "log-mel" is one."""
    return escape(title).replace("-", "\u2011")


def _cell(value: float | None, digits: int, note: str = "") -> str:
    if value is None:
        return '<td data-value="">–</td>'
    return f'<td data-value="{value:.6g}">{value:.{digits}f}{note}</td>'


def _listening(recording: Recording, heard: Sequence[Heard], first: bool) -> str:
    """The first clip is open, the others unfold."""
    name, original = recording.clip.name, recording.speech
    loudest = float(original.whole_log_mel.max())
    panels = [_panel("original", "reference", [], original, loudest)]
    for each in heard:
        if name not in each.speech:
            continue
        result = next(clip for clip in each.result.clips if clip.name == name)
        labels = {metric.key: metric.label for metric in METRICS}
        scores = [
            f"{labels[key]} {value:.{DIGITS[key]}f}"
            for key in SHOWN_WITH_SOUND
            if (value := result.scores.get(key)) is not None
        ]
        rate = [f"{result.payload_bits / result.duration_s:.0f} bit/s"] if result.payload_bits else []
        decoded = _fitted(each.speech[name], len(original.sound))
        panels.append(_panel(each.result.name, each.result.kind, [*rate, *scores], decoded, loudest))
    ticks = "".join(f"<span>{second:.1f} s</span>" for second in np.linspace(0, original.duration_s, 5))
    return (
        f"<details{' open' if first else ''}><summary><h3>{escape(name)}</h3> "
        f'<span class="hint">{original.duration_s:.1f} s, to {original.rate_hz // 2000} kHz</span></summary>\n'
        + "\n".join(panels)
        + f'\n<div class="axis" aria-hidden="true">{ticks}</div></details>'
    )


def _panel(name: str, kind: str, scores: Sequence[str], speech: Speech, loudest: float) -> str:
    return (
        f'<figure class="panel {kind}"><figcaption><span class="name">{escape(name)}</span>'
        + " ".join(f'<span class="score">{escape(score)}</span>' for score in scores)
        + "</figcaption>"
        f'<div class="mel" data-seconds="{speech.duration_s:.3f}"><img alt="Mel spectrogram, {escape(name)}" '
        f'src="{picture(speech, loudest)}"><span class="head"></span></div>'
        f'<audio controls preload="none" aria-label="{escape(name)}" src="{sound(speech)}"></audio></figure>'
    )


def _fitted(speech: Speech, samples: int) -> Speech:
    """Cut or followed by silence, so that all pictures of a clip have one scale of time."""
    sound = speech.sound[:samples]
    return Speech(np.pad(sound, (0, samples - len(sound))), speech.rate_hz)
