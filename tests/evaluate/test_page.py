"""The page: complete in itself, and alive in a real browser."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from melcodec_cli.cli import main
from melcodec_cli.errors import ExitCode
from melcodec_cli.evaluate.clips import Clip
from melcodec_cli.evaluate.evaluation import Recording
from melcodec_cli.evaluate.media import khz_places
from melcodec_cli.evaluate.metrics import LIKENESS
from melcodec_cli.evaluate.page import listened
from melcodec_cli.evaluate.page_tables import means_tables
from melcodec_cli.evaluate.plot import MIDDLE, NARROW, WIDE
from melcodec_cli.evaluate.results import ContenderResult
from melcodec_cli.evaluate.speech import Speech
from tests.evaluate.browser import Browser
from tests.evaluate.conftest import CHEAP_JUDGES, Make

pytestmark = pytest.mark.slow

TAB, ENTER, SPACE = "\ue004", "\ue007", " "


@pytest.fixture(scope="module")
def page(tiny_bundle: Path, two_clips: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "deep"
    arguments = [
        "evaluate",
        *two_clips,
        "--bundle",
        str(tiny_bundle),
        "--steps",
        "0,1",
        "--against",
        "codec2",
    ]
    quick = [metric for metric in LIKENESS if metric.needs is None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("melcodec_cli.evaluate.session.METRICS", (*quick, *CHEAP_JUDGES))
        assert main([*arguments, "--out", str(folder), "-q"]) == ExitCode.OK
    return folder / "index.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not shutil.which("chromedriver"):
        pytest.skip("chromedriver (Debian: chromium-driver) is not installed")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.resize(1280, 900)
    browser.open(page)
    return browser


def column(browser: Browser, number: int) -> list[str]:
    script = """
        const cells = [...document.querySelector("#systems tbody").rows].map((row) => row.cells[arguments[0]]);
        return cells.map((cell) => cell.dataset.value ?? cell.textContent);
    """
    found: list[str] = browser.run(script, number)
    return found


def test_the_page_needs_nothing_from_anywhere(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r'(?:src|href)="([^"]{0,40})', text)
    assert links and all(link.startswith(("data:", "#")) for link in links)
    assert "default-src 'none'" in text
    assert not re.search(
        r"\$\{?\w+\}?(?![^<]*</script>)", re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL)
    )


def test_every_clip_can_be_heard_unless_that_would_be_an_hour() -> None:
    second = Speech(np.zeros(16000, np.float32))
    clips = [Recording(Clip(str(number), Path()), second) for number in range(1000)]
    assert listened(clips[:100], systems=10) == clips[:100]
    some = listened(clips, systems=5)
    assert len(some) == 600 and some[0] is clips[0] and some[-1] is not clips[599]
    assert listened([Recording(clips[0].clip, Speech(np.zeros(80_000_000, np.float32)))], systems=1) != []


def test_names_from_outside_are_text_not_markup(
    tiny_bundle: Path, two_clips: list[str], tmp_path: Path
) -> None:
    hostile = tmp_path / "<img src=x onerror=alert(1)>.opus"
    hostile.write_bytes(Path(two_clips[0]).read_bytes())
    arguments = [
        "evaluate",
        str(hostile),
        "--bundle",
        str(tiny_bundle),
        "--no-judges",
        "--out",
        str(tmp_path / "a.html"),
        "-q",
    ]
    assert main(arguments) == ExitCode.OK
    assert "<img src=x" not in (tmp_path / "a.html").read_text()


def test_it_loads_without_errors_and_every_player_plays(opened: Browser) -> None:
    script = """
        const audios = [...document.querySelectorAll("audio")];
        const play = (audio) => new Promise((resolve) => {
            audio.closest("details").open = true;
            audio.onerror = () => resolve("error " + audio.error.message);
            audio.ontimeupdate = () => { if (audio.currentTime > 0.05) { audio.pause(); resolve(audio.duration); } };
            audio.play().catch((error) => resolve(String(error)));
        });
        return audios.reduce(async (done, audio) => [...await done, await play(audio)], Promise.resolve([]));
    """
    durations = opened.run(script)
    assert len(durations) >= 6
    assert all(isinstance(each, float) and 2 < each < 4 for each in durations), durations
    assert opened.errors() == []


def test_pictures_are_there_and_of_one_width(opened: Browser) -> None:
    sizes = opened.run(
        "return [...document.querySelectorAll('.mel img')].map((each) => [each.naturalWidth, each.naturalHeight])"
    )
    assert {height for _, height in sizes} == {80}
    assert all(200 < width < 400 for width, _ in sizes)
    assert opened.errors() == []


def test_a_second_player_stops_the_first(opened: Browser) -> None:
    script = """
        const [one, two] = document.querySelectorAll("audio");
        return one.play().then(() => two.play()).then(() => [one.paused, two.paused]);
    """
    assert opened.run(script) == [True, False]


def test_a_click_into_a_picture_plays_from_there(opened: Browser) -> None:
    script = """
        const mel = document.querySelector(".mel"), audio = document.querySelector("audio");
        const box = mel.getBoundingClientRect();
        return new Promise((resolve) => {
            audio.ontimeupdate = () => { if (audio.currentTime > 1) resolve(audio.currentTime / audio.duration); };
            mel.dispatchEvent(new MouseEvent("click", { clientX: box.left + box.width / 2, clientY: box.top + 5 }));
        });
    """
    assert opened.run(script) == pytest.approx(0.5, abs=0.2)


def test_the_keyboard_sorts_a_column_and_sorts_it_back(opened: Browser) -> None:
    opened.run("document.querySelectorAll('#systems thead button')[1].focus()")
    unsorted = column(opened, 1)
    opened.type(ENTER)
    rates = [float(value or "inf") for value in column(opened, 1)]
    assert rates == sorted(rates)
    assert opened.run("return document.activeElement.closest('th').ariaSort") == "ascending"
    opened.type(SPACE)
    rates = [float(value or "-inf") for value in column(opened, 1)]
    assert rates == sorted(rates, reverse=True)
    assert sorted(column(opened, 1)) == sorted(unsorted)


def test_systems_sort_by_name(opened: Browser) -> None:
    opened.run("document.querySelector('#systems thead button').click()")
    names = column(opened, 0)
    assert names == sorted(names, key=str.lower)


def test_what_is_best_at_zero_sorts_by_how_far_it_is_from_there(opened: Browser) -> None:
    script = """
        const table = document.querySelector("#systems table"), head = table.tHead.rows[0].cells[3];
        head.dataset.better = "zero";
        const values = [-3, 2, -1];
        [...table.tBodies[0].rows].forEach((row) => { row.cells[3].dataset.value = values.shift() ?? ""; });
        head.querySelector("button").click();
    """
    opened.run(script)
    assert column(opened, 3)[:3] == ["-1", "2", "-3"]


def test_a_phone_has_a_plot_of_its_own_width(opened: Browser) -> None:
    script = """
        const shown = [...document.querySelectorAll("#rates svg")].filter((each) => each.checkVisibility());
        return shown.map((each) => [each.viewBox.baseVal.width, each.getBoundingClientRect().width]);
    """
    ((drawn, _),) = opened.run(script)
    assert drawn == WIDE
    opened.resize(820, 800)
    ((drawn, seen),) = opened.run(script)
    assert drawn == MIDDLE and 0.9 * drawn < seen <= 820
    opened.resize(390, 800)
    ((drawn, seen),) = opened.run(script)
    assert drawn == NARROW
    assert 0.9 * drawn < seen <= 390  # letters keep their size


@pytest.mark.parametrize("width", [390, 820, 1280, 1500])
def test_the_plot_is_as_wide_as_the_page(width: int, opened: Browser) -> None:
    opened.resize(width, 900)
    script = """
        const shown = [...document.querySelectorAll("#rates svg")].filter((each) => each.checkVisibility());
        return shown[0].getBoundingClientRect().width / document.querySelector("main").clientWidth;
    """
    assert opened.run(script) > 0.98


def test_a_table_that_goes_on_beside_a_phone_says_so_until_its_end_is_in_sight(opened: Browser) -> None:
    script = """
        const frame = document.querySelector("#systems .frame"), scroll = frame.querySelector(".scroll");
        if (arguments[0]) scroll.scrollLeft = scroll.scrollWidth;
        return new Promise((resolve) => setTimeout(() => resolve([
            frame.querySelector(".beyond").checkVisibility(), frame.classList.contains("goes-on")]), 200));
    """
    opened.resize(390, 800)
    assert opened.run(script, False) == [True, True]
    assert opened.run(script, True) == [True, False]
    opened.resize(2000, 800)
    opened.run("document.body.style.maxWidth = 'none'")
    assert opened.run(script, False) == [False, False]


def test_the_players_of_what_is_unfolded_tell_its_length_before_they_play(opened: Browser) -> None:
    script = """
        const clips = document.querySelectorAll("#listen details");
        clips[1].open = true;
        const known = (audio) => new Promise((resolve) => {
            if (audio.readyState) return resolve(audio.duration);
            audio.addEventListener("loadedmetadata", () => resolve(audio.duration), { once: true });
            setTimeout(() => resolve(0), 5000);
        });
        return Promise.all([...document.querySelectorAll("#listen audio")].map(known));
    """
    durations = opened.run(script)
    assert len(durations) >= 6 and all(2 < each < 4 for each in durations), durations


def test_every_picture_has_axes_of_time_and_frequency_beside_it(opened: Browser) -> None:
    script = """
        return [...document.querySelectorAll("#listen details[open] .chart")].map((chart) => {
            const box = (each) => each.getBoundingClientRect();
            const mel = box(chart.querySelector(".mel"));
            const labels = (axis) => [...chart.querySelectorAll(axis + " span")];
            const down = (each) => ((box(each).top + box(each).bottom) / 2 - mel.top) / mel.height;
            const across = (each) => ((box(each).left + box(each).right) / 2 - mel.left) / mel.width;
            return [
                labels(".khz").map((each) => [each.textContent, down(each), box(each).right < mel.left]),
                labels(".seconds").map((each) => [each.textContent, across(each), box(each).top >= mel.bottom]),
            ];
        });
    """
    for width in (390, 1280):
        opened.resize(width, 900)
        charts = opened.run(script)
        assert len(charts) >= 3
        for khz, seconds in charts:
            assert [text for text, *_ in khz] == ["0", "1", "2", "4", "8 kHz"]
            assert khz[0][1] == pytest.approx(1, abs=0.02) and khz[-1][1] == pytest.approx(0, abs=0.02)
            assert [place for _, place, _ in khz] == sorted((place for _, place, _ in khz), reverse=True)
            assert seconds[0][:2] == ["0", pytest.approx(0, abs=0.01)] and seconds[-1][0].endswith(" s")
            assert all(beside for _, _, beside in [*khz, *seconds])


def test_a_frequency_stands_where_the_picture_has_its_tone() -> None:
    for rate_hz in (16000, 48000):
        for khz, place in khz_places(Speech(np.zeros(1, np.float32), rate_hz)).items():
            if place in (0.0, 1.0):  # the edges
                continue
            tone = np.sin(2 * np.pi * 1000 * khz * np.arange(rate_hz) / rate_hz).astype(np.float32)
            mel = Speech(0.5 * tone, rate_hz).whole_log_mel[50]
            assert 1 - (mel.argmax() + 0.5) / len(mel) == pytest.approx(place, abs=0.8 / len(mel))


def test_the_best_of_a_column_is_bold_and_no_reference_is(make: Make) -> None:
    evaluation = make([2.0, 2.0], [1.0, 1.0], "good at good")
    other = make([1.0, 1.0], [0.5, 0.5], "good at bad").systems[0]
    perfect = make([5.0, 5.0], [0.0, 0.0]).systems[0]
    evaluation.systems.extend([other, ContenderResult("perfect", "reference", 0.0, perfect.clips)])
    bold = [re.findall("<b>(.*?)</b>", row) for row in means_tables(evaluation).split("<tr")]
    titles = [row for row in bold if "2.000" in row or "0.500" in row]
    assert titles[0].count("2.000") == 1 and titles[1] == ["0.500"]
    assert not any("5.000" in row for row in bold)
    alone = make([2.0], [1.0])
    assert "<b>" not in means_tables(alone)


def test_judges_have_a_table_of_their_own_and_the_clips_show_one_kind_at_a_time(opened: Browser) -> None:
    titles = opened.run("""
        const heads = (table) => [...table.tHead.rows[0].cells].map((each) => each.textContent);
        return [...document.querySelectorAll("#systems table")].map(heads);
    """)
    assert len(titles) == 2 and titles[1] == ["system", "Loud %", "Louder"]
    script = """
        const choice = document.getElementById("figures");
        choice.value = arguments[0];
        choice.dispatchEvent(new Event("change"));
        return [...document.querySelectorAll("#clips table")].filter((each) => each.checkVisibility())
            .map((each) => each.tHead.textContent.includes("Loud"));
    """
    assert opened.run(script, "judge") == [True]
    assert opened.run(script, "likeness") == [False]


def test_the_plot_and_the_clips_follow_their_choices(opened: Browser) -> None:
    script = """
        for (const [name, value] of Object.entries(arguments[0])) {
            const choice = document.getElementById(name);
            choice.value = value;
            choice.dispatchEvent(new Event("change"));
        }
        const seen = (each) => each.checkVisibility();
        return [
            [...document.querySelectorAll("[data-metric]")].filter(seen).map((each) => each.dataset.metric),
            [...document.querySelectorAll("#clips tbody tr")].filter(seen).map((each) => each.cells[1].textContent),
        ];
    """
    choice = {"metric": "mcd_db", "system": "tiny --steps 1"}
    assert opened.run(script, choice) == [["mcd_db"], ["tiny --steps 1"] * 2]
    assert len(opened.run(script, {"system": ""})[1]) >= 4


def test_every_control_is_reached_with_tab_and_has_a_name(opened: Browser) -> None:
    script = """
        const controls = [...document.querySelectorAll("a, button, select, summary, audio, .scroll")];
        return controls.filter((each) => each.tabIndex < 0 || !(each.ariaLabel || each.textContent.trim()
            || each.labels?.length)).map((each) => each.outerHTML.slice(0, 80));
    """
    assert opened.run(script) == []
    opened.type(TAB)
    assert opened.run("return document.activeElement.textContent") == "Means"


@pytest.mark.parametrize("width", [360, 390, 820, 1280])
def test_nothing_is_wider_than_the_screen(width: int, opened: Browser) -> None:
    opened.resize(width, 800)
    assert opened.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(scheme: str, opened: Browser) -> None:
    opened.prefer(scheme)
    script = """
        const shown = [...document.querySelectorAll("body, .hint, .melcodec .name, a, td small, svg text")];
        return [getComputedStyle(document.body).backgroundColor,
            [...new Set(shown.map((each) => getComputedStyle(each)[each.tagName === "text" ? "fill" : "color"]))]];
    """
    paper, inks = opened.run(script)
    assert (luminance(paper) > 0.5) == (scheme == "light")
    for ink in inks:
        lighter, darker = sorted((luminance(paper), luminance(ink)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, ink  # WCAG AA


def luminance(colour: str) -> float:
    linear = [
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
