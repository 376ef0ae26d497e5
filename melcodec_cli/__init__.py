"""melcodec: a neural speech codec: 250 bit/s at 16 kHz or 700 at 48 kHz.

    import melcodec_cli
    melcodec_cli.compress("in.wav", "out.mlc")
    melcodec_cli.decompress("out.mlc", "back.wav")
    data = melcodec_cli.compress(samples, rate_hz=16000)
    samples, rate_hz = melcodec_cli.decompress(data)

    encoder, decoder = melcodec_cli.open_encoder(24000, profile="speech-24k-live"), melcodec_cli.open_decoder()
    samples = decoder.push(encoder.push(samples))  # live, frame by frame

The names are loaded on first use: they bring torch with them, which `--help`, `info` and `verify` do
without.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from melcodec_cli.api import compress, decompress
    from melcodec_cli.live_api import open_decoder, open_encoder

__version__ = "0.1.0"
__all__ = ["__version__", "compress", "decompress", "open_decoder", "open_encoder"]


def __getattr__(name: str) -> Any:
    if name in ("compress", "decompress"):
        from melcodec_cli import api

        return getattr(api, name)
    if name in ("open_decoder", "open_encoder"):
        from melcodec_cli import live_api

        return getattr(live_api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
