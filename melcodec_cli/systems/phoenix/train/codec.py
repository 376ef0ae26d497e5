"""Training of encoder, quantiser and decoder, together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from melcodec_cli.layers.loudness import Loudness
from melcodec_cli.layers.pitch import likeliest_hz
from melcodec_cli.systems.phoenix.codec import Codec
from melcodec_cli.systems.phoenix.config import Profile
from melcodec_cli.systems.phoenix.excitation import NOISE_FRAMES
from melcodec_cli.systems.phoenix.harmonic import HarmonicDecoder
from melcodec_cli.systems.phoenix.train.losses import Distances, SpectralDistances
from melcodec_cli.systems.phoenix.train.noise import noise_phases
from melcodec_cli.systems.span import Span
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.discriminators import patched_discriminators
from melcodec_cli.train.pitch import pitch_errors, pitch_losses
from melcodec_cli.train.pitch_labels import Pitched
from melcodec_cli.train.spectra import narrowed
from melcodec_cli.train.task import Moment, Task

PICTURED = 2  # which of the resolutions is drawn: 32 ms


@dataclass(frozen=True)
class CodecLosses:
    mel: float = 1.0  # log-mels at several resolutions
    magnitude: float = 1.0  # square roots of magnitudes: loud bins count more than in a mel
    complex: float = 1.0  # the same with phase, which makes adversaries dispensable
    codebook: float = 0.5
    commitment: float = 0.25  # pulls the encoder towards its codewords; relative to the codebook loss
    usage_decay: float = 0.99  # decay of the running usage that guides online clustering
    loudness: float = (
        0.0  # what a model of hearing notices, that of PESQ: a model so trained is optimised for PESQ
    )
    pitch: float = 0.2  # what a harmonic decoder hears of it ...
    voicing: float = 0.2  # ... and whether there is any
    told: float = 0.5  # share of crops for which it is told the right pitch and voicing
    spread_bins: float = 1.2  # width of the soft target of the pitch
    plain_until: float = (
        0.0  # progress until which some crops are not quantised, all at first, then ever fewer
    )
    single: float = 0.5  # share of crops decoded from one stage alone ...
    all: float = 0.0  # ... and from all of them; the others from two or more
    adversary: float = 0.0  # weight of the adversarial loss; 0: none
    features: float = 1.0  # weight of feature matching, relative to the adversary's
    adversary_from: float = 0.0  # progress at which the adversary joins
    adversary_width: int = 16


class CodecTask(Task):
    """Learns to decode clean speech (`crops.audio`) from what may be noisy (`crops.noisy`)."""

    stage: Codec

    def __init__(self, profile: Profile, losses: CodecLosses) -> None:
        super().__init__()
        self.profile, self.losses = profile, losses
        self.stage = Codec(profile)
        self.distances = SpectralDistances(profile.rate_hz)
        self.loudness = Loudness(profile.rate_hz)
        if isinstance(self.stage.decoder, HarmonicDecoder):
            self.stage.decoder.excitation.noise.copy_(noise_phases(profile))
        self.latest: tuple[Tensor, Tensor] | None = None  # indices and points of the last batch
        if losses.adversary:
            judges = patched_discriminators(profile.rate_hz, losses.adversary_width)
            self.judged_by(judges, losses.adversary_from)

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        if player == "adversary":
            return self.judgement()
        codec, weight = self.stage, self.losses
        batch, device = len(crops.audio), crops.audio.device
        plain = None
        if moment.progress < weight.plain_until:
            plain = torch.rand(batch, device=device) > moment.progress / weight.plain_until
        found = codec.quantiser(codec.encoder(crops.noisy), self._sent(batch, device), plain=plain)
        self.latest = (found.indices, found.points)
        made, loss, figures = self._decoded(found.latent, crops)
        with torch.autocast(made.device.type, enabled=False):
            far = self.distances(made, crops.audio, crops.bandwidth_hz)
            if weight.loudness:
                shown = (
                    narrowed(each, self.profile.rate_hz, crops.bandwidth_hz) for each in (made, crops.audio)
                )
                loudness = self.loudness(*shown)
                loss = loss + weight.loudness * loudness
                figures["loudness"] = loudness.item()
        vq = found.codebook_loss + weight.commitment * found.commitment_loss
        loss = loss + self._weighted(far) + weight.codebook * vq
        figures |= {name: value.item() for name, value in far._asdict().items()} | {"vq": vq.item()}
        if weight.adversary and self.active("adversary", moment):
            deception, verdict = self.deception(crops.audio, made, weight.features)
            loss = loss + weight.adversary * deception
            figures |= verdict
        return loss, figures

    def _decoded(self, latents: Tensor, crops: Crops) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Audio, and for a harmonic decoder the loss of what it hears of the pitch, and figures."""
        decoder, weight = self.stage.decoder, self.losses
        if not isinstance(decoder, HarmonicDecoder):
            return decoder(latents).float(), latents.new_zeros(()), {}
        assert isinstance(crops, Pitched)
        x, logits, voicing = decoder.heard(latents)
        height, decision = pitch_losses(logits, voicing, crops, decoder.scale, weight.spread_bins)
        with torch.no_grad():
            own_hz, own_voicing = likeliest_hz(logits, decoder.scale), voicing.sigmoid()
            told = torch.rand(len(latents), 1, device=latents.device) < weight.told
            pitch_hz = torch.where(told & (crops.pitch_hz > 0), crops.pitch_hz, own_hz)
            voicing = torch.where(told, crops.voiced, own_voicing)
            # As from anywhere in a stream, so that each frame meets all noise.
            frames = latents.shape[1]
            begin = torch.randint(NOISE_FRAMES, (len(latents),)).tolist()
            spans = [Span(0, frames, 0, first) for first in begin]
        made = decoder.adder(decoder.shaped(x, pitch_hz, voicing, spans=spans)).float()
        loss = weight.pitch * height + weight.voicing * decision
        return made, loss, {"height": height.item(), "voicing": decision.item()}

    def _weighted(self, far: Distances) -> Tensor:
        weight = self.losses
        return weight.mel * far.mel + weight.magnitude * far.magnitude + weight.complex * far.complex

    def _sent(self, batch: int, device: torch.device) -> Tensor:
        """How many stages each crop is decoded from: (batch,)."""
        stages = self.stage.quantiser.stages
        several = torch.randint(min(2, stages), stages + 1, (batch,), device=device)
        lot = torch.rand(batch, device=device)
        several = torch.where(lot > 1 - self.losses.all, stages, several)
        return torch.where(lot < self.losses.single, 1, several)

    @torch.no_grad()
    def after_step(self, moment: Moment) -> None:
        assert self.latest is not None
        indices, points = self.latest
        quantiser, decay = self.stage.quantiser, self.losses.usage_decay
        shares = quantiser.shares(indices)
        anchors = quantiser.anchors(points)
        if dist.is_initialized():  # the codebooks must stay the same on every GPU
            dist.all_reduce(shares)
            shares /= dist.get_world_size()
            dist.broadcast(anchors, 0)
        quantiser.count(shares, decay)
        quantiser.revive(anchors, decay)

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        """Figures of all stages and of one alone."""
        codec, stages = self.stage, self.stage.quantiser.stages
        latents = codec.encoder(crops.noisy)
        figures = {}
        for sent in sorted({stages, 1}, reverse=True):
            found = codec.quantiser(latents, torch.full((len(latents),), sent, device=latents.device))
            far = self.distances(codec.decoder(found.latent).float(), crops.audio, crops.bandwidth_hz)
            figures[f"dev_loss_{sent}"] = self._weighted(far).item()
            figures |= {f"dev_{name}_{sent}": value.item() for name, value in far._asdict().items()}
            if isinstance(codec.decoder, HarmonicDecoder):
                assert isinstance(crops, Pitched)
                _, logits, voicing = codec.decoder.heard(found.latent)
                estimate = likeliest_hz(logits, codec.decoder.scale), voicing.sigmoid()
                figures |= pitch_errors(f"dev_{sent}_", crops, estimate)
        shares = codec.quantiser.shares(found.indices)
        perplexities = (-(shares * (shares + 1e-12).log()).sum(1)).exp()
        return figures | {"perplexity": perplexities[0].item(), "least_perplexity": perplexities.min().item()}

    @torch.no_grad()
    def picture(self, crops: Crops) -> list[Tensor]:
        codec, scale = self.stage, self.distances.scales[PICTURED]
        made = codec.decoder(codec.quantiser(codec.encoder(crops.noisy[:1])).latent).float()
        return [scale(audio)[0][0] for audio in (crops.audio[:1], made)]
