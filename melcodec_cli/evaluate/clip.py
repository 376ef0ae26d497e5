"""The bundled recording of speech: ten seconds, one channel, 16 kHz."""

from pathlib import Path

CLIP = Path(__file__).parent / "recording" / "librispeech-302.flac"
