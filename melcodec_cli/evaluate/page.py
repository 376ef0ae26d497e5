"""The page: one HTML file with its tables, plot, pictures and sounds inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from melcodec_cli.evaluate.clips import spread
from melcodec_cli.evaluate.evaluation import Heard, Recording
from melcodec_cli.evaluate.media import khz_places, picture, sound
from melcodec_cli.evaluate.metrics import DIGITS, METRICS
from melcodec_cli.evaluate.page_tables import clips_tables, figure_choices, means_tables
from melcodec_cli.evaluate.plot import BETTER, MIDDLE, NARROW, WIDE, points_of, rate_quality_svg, round_step
from melcodec_cli.evaluate.results import Evaluation
from melcodec_cli.evaluate.speech import Speech
from melcodec_cli.evaluate.statistics import RESAMPLES

PLOTS = (("wide", WIDE), ("middle", MIDDLE), ("narrow", NARROW))  # CSS shows the one that fits the screen
TEMPLATE = Path(__file__).parent / "template"
PLAYED_S = (
    3600  # of sound in one page, about 30 MB; of more, clips evenly spread, while the figures are of all
)
SHOWN_WITH_SPEECH = (
    "pesq_wb",
    "stoi",
    "mcd_db",
    "speaker_similarity",
    "dnsmos_overall",
    "word_error_percent",
)
SHOWN_WITH_SOUND = ("visqol_audio", "full_log_mel_l1", "full_mcd_db", "full_lsd_db", "level_db")


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
    shown = SHOWN_WITH_SPEECH if evaluation.content == "speech" else SHOWN_WITH_SOUND
    minutes = sum(each.speech.duration_s for each in recordings) / 60
    return Template((TEMPLATE / "page.html").read_text()).substitute(
        title=escape(names[0] if len(names) == 1 else f"{names[0]} beside {len(names) - 1} others"),
        summary=f"{len(recordings)} clips, {minutes:.1f} minutes of {evaluation.content}, {len(systems)} "
        + ("systems." if len(systems) > 1 else "system."),
        clip_count=len(recordings),
        resamples=RESAMPLES,
        means=means_tables(evaluation),
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
            + "".join(_plot(evaluation, each, name, width) for name, width in PLOTS)
            + "</div>"
            for each in evaluation.metrics
        ),
        played="" if len(played) == len(recordings) else f"{len(played)} of the {len(recordings)} clips. ",
        listening="\n".join(
            _listening(recording, heard, shown, first=not number) for number, recording in enumerate(played)
        ),
        system_choices="".join(f"<option>{escape(name)}</option>" for name in names)
        + '<option value="">all</option>',
        figure_choices=figure_choices(evaluation),
        clips=clips_tables(evaluation),
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


def _listening(recording: Recording, heard: Sequence[Heard], shown: Sequence[str], first: bool) -> str:
    """The first clip is open, the others unfold."""
    name, original = recording.clip.name, recording.speech
    loudest = float(original.whole_log_mel.max())
    preload = "metadata" if first else "none"
    panels = [_panel("original", "reference", [], original, loudest, preload)]
    for each in heard:
        if name not in each.speech:
            continue
        result = next(clip for clip in each.result.clips if clip.name == name)
        labels = {metric.key: metric.label for metric in METRICS}
        scores = [
            f"{labels[key]} {value:.{DIGITS[key]}f}"
            for key in shown
            if (value := result.scores.get(key)) is not None
        ]
        rate = [f"{result.payload_bits / result.duration_s:.0f} bit/s"] if result.payload_bits else []
        decoded = _fitted(each.speech[name], len(original.sound))
        panels.append(_panel(each.result.name, each.result.kind, [*rate, *scores], decoded, loudest, preload))
    return (
        f"<details{' open' if first else ''}><summary><h3>{escape(name)}</h3> "
        f'<span class="hint">{original.duration_s:.1f} s, to {original.rate_hz // 2000} kHz</span></summary>\n'
        + "\n".join(panels)
        + "</details>"
    )


def _panel(
    name: str, kind: str, scores: Sequence[str], speech: Speech, loudest: float, preload: str = "none"
) -> str:
    """What is folded loads nothing: of players there may be hundreds. The page's script sees to it when it unfolds."""
    return (
        f'<figure class="panel {kind}"><figcaption><span class="name">{escape(name)}</span>'
        + " ".join(f'<span class="score">{escape(score)}</span>' for score in scores)
        + "</figcaption>"
        f'<div class="chart">{_khz_axis(speech)}<div class="mel" data-seconds="{speech.duration_s:.3f}">'
        f'<img alt="Mel spectrogram, {escape(name)}" src="{picture(speech, loudest)}"><span class="head"></span>'
        f"</div>{_seconds_axis(speech.duration_s)}</div>"
        f'<audio controls preload="{preload}" aria-label="{escape(name)}" src="{sound(speech)}"></audio></figure>'
    )


def _khz_axis(speech: Speech) -> str:
    places = khz_places(speech)
    labels = (
        f'<span style="top:{100 * place:.1f}%">{khz}{" kHz" if khz == max(places) else ""}</span>'
        for khz, place in places.items()
    )
    return f'<div class="khz" aria-hidden="true">{"".join(labels)}</div>'


def _seconds_axis(duration_s: float) -> str:
    step_s = round_step(duration_s)
    seconds = [number * step_s for number in range(int(duration_s / step_s * (1 + 1e-9)) + 1)]
    labels = (
        f'<span style="left:{100 * second / duration_s:.1f}%">{second:g}{" s" if second == seconds[-1] else ""}</span>'
        for second in seconds
    )
    return f'<div class="seconds" aria-hidden="true">{"".join(labels)}</div>'


def _fitted(speech: Speech, samples: int) -> Speech:
    """Cut or followed by silence, so that all pictures of a clip have one scale of time."""
    sound = speech.sound[:samples]
    return Speech(np.pad(sound, (0, samples - len(sound))), speech.rate_hz)
