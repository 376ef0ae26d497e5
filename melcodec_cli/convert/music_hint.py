"""Notices recordings that a model is not made for: music and other sounds, where it was made for speech alone."""

from __future__ import annotations

from collections.abc import Callable

from melcodec_cli.audio import AudioSource, mix_down
from melcodec_cli.audio.pcm import Samples
from melcodec_cli.audio.voice import VoiceDetector
from melcodec_cli.models.installed import BundleInfo, installed_bundles

TOPIC = "music"


class MusicHint:
    """Listens to a recording while it is read, and gives a hint once it is known to be no voice."""

    def __init__(self, source: AudioSource, bundle: BundleInfo, notice: Callable[[str, str], None]):
        self._source = source
        self._bundle = bundle
        self._notice = notice
        self._detector: VoiceDetector | None = VoiceDetector(source.rate_hz)
        source.listener = self._hear

    def _hear(self, block: Samples) -> None:
        assert self._detector is not None
        self._detector.hear(mix_down(block, self._source.speakers)[:, 0])
        if self._detector.heard_enough:
            self.decide()

    def decide(self) -> None:
        """Give the hint, if it is due, on what has been heard so far."""
        detector, self._detector = self._detector, None  # which holds seconds of audio
        self._source.listener = None
        if detector is not None and detector.is_voice() is False:
            self._notice(TOPIC, self._line)

    @property
    def _line(self) -> str:
        line = f"{self._source.name}: sounds like music or noise, but {self._bundle.name} is made for speech"
        for other in installed_bundles():
            if "music" in other.suits:
                return f"{line}; --profile {other.name} takes any sound"
        return line


def music_hint(
    source: AudioSource, bundle: BundleInfo, notice: Callable[[str, str], None]
) -> MusicHint | None:
    """The hint, if the model is made for speech alone."""
    return MusicHint(source, bundle, notice) if bundle.suits == ("speech",) else None
