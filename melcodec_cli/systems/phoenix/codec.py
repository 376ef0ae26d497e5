"""The networks of phoenix, which are trained together."""

from __future__ import annotations

from torch import nn

from melcodec_cli.layers.residual import ResidualQuantiser
from melcodec_cli.systems.phoenix.config import Profile
from melcodec_cli.systems.phoenix.decoder import TimeDecoder
from melcodec_cli.systems.phoenix.encoder import Encoder
from melcodec_cli.systems.phoenix.harmonic import HarmonicDecoder
from melcodec_cli.systems.phoenix.istft import IstftDecoder

DECODERS: dict[str, type[TimeDecoder | IstftDecoder | HarmonicDecoder]] = {
    "time": TimeDecoder,
    "istft": IstftDecoder,
    "harmonic": HarmonicDecoder,
}


class Codec(nn.Module):
    def __init__(self, profile: Profile) -> None:
        super().__init__()
        width, config = profile.encoder.channels[-1], profile.quantiser
        self.encoder = Encoder(profile)
        self.quantiser = ResidualQuantiser(width, config.stages, config.codewords, config.lookup_width)
        self.decoder: TimeDecoder | IstftDecoder | HarmonicDecoder = DECODERS[profile.decoder](profile, width)
