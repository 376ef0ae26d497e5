"""Other codecs: run where they are, named where they are not, counted by their files."""

from pathlib import Path

import numpy as np
import pytest

from melcodec_cli.errors import MelcodecError, UsageProblem
from melcodec_cli.evaluate.clips import BUILT_IN, Clip, read_speech
from melcodec_cli.evaluate.ogg import packet_bytes
from melcodec_cli.evaluate.peers import CODEC2_FRAME_BITS, FAMILIES, Codec2, NarrowBand, peers
from melcodec_cli.evaluate.speech import FULL_RATE_HZ, RATE_HZ, Speech, resampled

pytestmark = pytest.mark.slow

CLIP = BUILT_IN / "speechocean762-027400171.opus"


def ogg_page(*lengths: int) -> bytes:
    return b"OggS" + bytes(22) + bytes([len(lengths), *lengths]) + bytes(sum(lengths))


def test_ogg_packets_are_counted_without_headers_and_wrapping() -> None:
    # Two header packets, the second over two segments; then packets of 10 and of 255 + 255 + 3 bytes over two pages.
    data = ogg_page(19) + ogg_page(255, 40) + ogg_page(10, 255) + ogg_page(255, 3)
    assert packet_bytes(data, headers=2) == 10 + 513


@pytest.mark.parametrize("data", [b"RIFF" + bytes(40), b"OggS"], ids=["not ogg", "cut off"])
def test_what_is_not_ogg_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="Ogg page"):
        packet_bytes(data, headers=2)


def test_absent_programs_are_named_and_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    systems, missing = peers(list(FAMILIES))
    assert [system.name for system in systems] == ["original"]  # which needs none
    assert missing["codec2"] == "c2enc and c2dec not installed"
    assert set(missing) == set(FAMILIES) - {"original"}


def test_an_unknown_peer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageProblem, match="codec2, opus, speex"):
        peers(["mp3"])


def test_a_failing_program_is_reported_with_its_last_words() -> None:
    if peers(["codec2"])[1]:
        pytest.skip("codec2 is not installed")
    with pytest.raises(MelcodecError, match="c2enc failed"):
        Codec2("no such mode").code(Clip("a", CLIP), Speech(np.zeros(16000, np.float32)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_installed_peer_gives_back_the_clip_at_about_its_rate(family: str) -> None:
    systems, missing = peers([family])
    if missing:
        pytest.skip(missing[family])
    speech = read_speech(CLIP)
    expected = {f"codec2 {mode}": int(mode.rstrip("C")) for mode in CODEC2_FRAME_BITS}
    expected |= {
        "opus 6k": 6000,
        "opus 8k": 8000,
        "speex 2.15k": 2150,
        "speex 4k": 3950,
        "original at 8 kHz": 0,
        "original": 0,
    }
    for system in systems:
        coded = system.code(Clip("a", CLIP), Speech(speech))
        seconds = len(speech) / 16000
        assert coded.payload_bits / seconds == pytest.approx(expected[system.name], rel=0.3), system.name
        assert coded.payload_bits <= coded.total_bits
        assert len(coded.audio) == pytest.approx(len(speech), abs=3200), system.name
        # Neither silence nor noise at full scale.
        assert 0.25 < np.square(coded.audio).mean() / np.square(speech).mean() < 2, system.name


@pytest.mark.parametrize("family", FAMILIES)
def test_peers_take_the_full_band_and_give_back_its_rate(family: str) -> None:
    systems, missing = peers([family])
    if missing:
        pytest.skip(missing[family])
    wide = Speech(resampled(read_speech(CLIP), RATE_HZ, FULL_RATE_HZ), FULL_RATE_HZ)
    for system in systems:
        coded = system.code(Clip("a", CLIP), wide)
        assert len(coded.audio) == pytest.approx(len(wide.sound), abs=9600), system.name


def test_opus_codes_music_as_music_in_the_full_band_at_6_and_12_kbit_per_s() -> None:
    systems, missing = peers(["opus"], "music")
    if missing:
        pytest.skip(missing["opus"])
    random = np.random.default_rng(0)
    music = Speech((0.1 * random.standard_normal(3 * FULL_RATE_HZ)).astype(np.float32), FULL_RATE_HZ)
    coded = {system.name: system.code(Clip("a", CLIP), music) for system in systems}
    bits_per_s = {name: each.payload_bits / music.duration_s for name, each in coded.items()}
    assert bits_per_s == {
        "opus 6k --music": pytest.approx(6000, rel=0.4),
        "opus 12k --music": pytest.approx(12000, rel=0.4),
    }
    upper_db = Speech(coded["opus 12k --music"].audio, FULL_RATE_HZ).band_power_db(9000, 16000)
    assert upper_db == pytest.approx(music.band_power_db(9000, 16000), abs=6)  # which 16 kHz could not hold


def test_narrow_band_peers_bring_their_reference_and_others_do_not() -> None:
    for family in ("codec2", "opus", "speex"):
        systems, missing = peers([family])
        if not missing:
            assert any(isinstance(system, NarrowBand) for system in systems) == (family != "opus")


def test_the_narrow_band_reference_has_nothing_above_4_khz_and_all_below() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(16000)).astype(np.float32)
    audio = NarrowBand().code(Clip("a", CLIP), Speech(noise)).audio
    before, after = (np.abs(np.fft.rfft(each))[100:] for each in (noise, audio))
    assert np.square(after[4200:]).sum() < 1e-4 * np.square(before[4200:]).sum()
    assert np.square(after[:3300]).sum() == pytest.approx(np.square(before[:3300]).sum(), rel=0.01)
