"""Audio files and pipes as float32 (frame, channel) in [-1, 1), and back."""

from melcodec_cli.audio.formats import FORMATS, OutputFormat, format_for
from melcodec_cli.audio.opening import open_sink, open_source
from melcodec_cli.audio.raw import RawFormat
from melcodec_cli.audio.resample import Resampler, resampled_length
from melcodec_cli.audio.sink import AudioSink
from melcodec_cli.audio.source import AudioSource
from melcodec_cli.audio.speakers import mix_down

__all__ = [
    "FORMATS",
    "AudioSink",
    "AudioSource",
    "OutputFormat",
    "RawFormat",
    "Resampler",
    "format_for",
    "mix_down",
    "open_sink",
    "open_source",
    "resampled_length",
]
