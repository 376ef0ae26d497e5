"""The bundled recording of speech: ten seconds, one channel, 16 kHz."""

from pathlib import Path

CLIP = Path(__file__).parent / "clips" / "librispeech-302.flac"
