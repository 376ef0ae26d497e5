"""`open_encoder` and `open_decoder`: samples in, bytes out, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import melcodec_cli
from melcodec_cli.cli import main
from melcodec_cli.errors import MlcCorrupt, ModelMissing, UsageProblem
from melcodec_cli.live_api import Encoder
from tests.live.conftest import RATE_HZ

FRAME = 288


def encoder(packet_frames: int = 1) -> Encoder:
    return melcodec_cli.open_encoder(RATE_HZ, profile="small-live", packet_frames=packet_frames)


def packets_of(talk: NDArray[np.float32]) -> list[bytes]:
    """The header, then each packet with the check that follows it."""
    sending = encoder()
    packets = [sending.push(talk[at : at + FRAME]) for at in range(0, len(talk), FRAME)]
    packets = [packets[0][:27], packets[0][27:], *packets[1:], sending.finish()]
    return [packet for packet in packets if packet]


def test_what_is_pushed_is_what_the_command_writes(home: Path, talk: NDArray[np.float32]) -> None:
    main(["compress", "-q", "--live", "--profile", "small-live", "talk.wav", "talk.mlc"])
    data = Path("talk.mlc").read_bytes()
    assert b"".join(packets_of(talk)) == data
    sixteen = (talk * 32768).round().clip(-32768, 32767).astype(np.int16)
    one, other = encoder(), encoder()
    assert one.push(sixteen) == other.push(sixteen.astype(np.float32) / 32768)
    assert one.delay_s == pytest.approx(0.030)


def test_samples_come_back_with_the_packet_that_completes_them(home: Path, talk: NDArray[np.float32]) -> None:
    listening = melcodec_cli.open_decoder()
    assert listening.rate_hz is None
    header, *packets = packets_of(talk)
    assert len(listening.push(header)) == 0 and listening.rate_hz == RATE_HZ
    came = [len(listening.push(packet)) for packet in packets]
    assert 0 < sum(came[:3]) < 3 * FRAME  # the decoder looks ahead
    assert set(came[3:]) == {FRAME}
    rest = listening.finish()
    assert sum(came) + len(rest) == -(-len(talk) // FRAME) * FRAME
    assert listening.delay_s == pytest.approx(0.030)


def test_a_packet_that_never_came_is_concealed_in_its_place(home: Path, talk: NDArray[np.float32]) -> None:
    header, *packets = packets_of(talk)
    whole, holed = melcodec_cli.open_decoder(), melcodec_cli.open_decoder()
    whole.push(header), holed.push(header)
    one = np.concatenate([whole.push(packet) for packet in packets] + [whole.finish()])
    lost = (20, 41, 45)  # among them the one that brings a check
    two = [holed.lose() if number in lost else holed.push(packet) for number, packet in enumerate(packets)]
    heard = np.concatenate([*two, holed.finish()])
    assert len(heard) == len(one)
    assert np.array_equal(heard[: 18 * FRAME], one[: 18 * FRAME])
    assert not np.array_equal(heard[20 * FRAME : 21 * FRAME], one[20 * FRAME : 21 * FRAME])


def test_a_stream_of_little_but_gaps_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("melcodec_cli.codec.live.MAX_SILENCE_S", 2.0)
    header, *packets = packets_of(np.zeros(RATE_HZ // 4, np.float32))
    listening = melcodec_cli.open_decoder()
    for data in (header, *packets):
        listening.push(data)
    for _ in range(2250 // 12):
        listening.lose()
    with pytest.raises(MlcCorrupt, match="more than 2 s are missing"):
        listening.lose()


def test_what_cannot_be_is_an_error_in_pythons_terms(home: Path) -> None:
    with pytest.raises(UsageProblem, match=r"^a live stream: small-live takes 16000 or 24000 or 48000 Hz"):
        melcodec_cli.open_encoder(44100, profile="small-live")
    with pytest.raises(UsageProblem, match="speech-16k codes whole chunks"):
        melcodec_cli.open_encoder(16000)
    with pytest.raises(UsageProblem, match="packet frames 0 is outside 1..255"):
        encoder(packet_frames=0)
    with pytest.raises(TypeError, match="one channel"):
        encoder().push(np.zeros((2, 9)))
    with pytest.raises(MlcCorrupt, match="from its beginning only"):
        melcodec_cli.open_decoder().push(b"in the middle")
    with pytest.raises(UsageProblem, match="the header must come before"):
        melcodec_cli.open_decoder().lose()
    with pytest.raises(UsageProblem, match="not a live stream: use decompress"):
        melcodec_cli.open_decoder().push(melcodec_cli.compress(np.zeros(999), rate_hz=16000))
    with pytest.raises(ModelMissing, match="no bundle is named 'none'"):
        melcodec_cli.open_encoder(24000, profile="none")
