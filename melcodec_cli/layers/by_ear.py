"""Analysis by synthesis: choosing indices by how they sound.

An encoder finds the codewords nearest to what it wants to say, not those that sound most like the original once they
are decoded.  So what it says is moved, again and again, to where the decoded audio would come nearer: along the
gradient through vocoder, decoder and, as if it were not there, the quantiser.  Each frame keeps the indices with which
the audio around it came nearest.  The decoder knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad

from melcodec_cli.layers.loudness import Loudness
from melcodec_cli.layers.mel import LogMel
from melcodec_cli.layers.mel_config import MelConfig
from melcodec_cli.systems.span import Span

Quantise = Callable[[Tensor], tuple[Tensor, Tensor]]
Difference = Callable[[Tensor], Tensor]
Differences = Callable[[Tensor], Iterable[Tensor]]

ROUNDS_PER_EFFORT = 2  # above 1, which is the nearest codewords
SCALES = ((16, 4, 32), (32, 8, 64), (64, 8, 100))  # windows and about their hops in ms, and bands
LOUDNESS = 0.4  # power of a magnitude that it seems as loud as
INERTIA = 0.7  # share of its last move that a latent keeps
MUCH = 1.3  # times as loud: 6 dB
DISTURBING = 0.05  # weight of the square of what would be noticed ...
HEARD_MS = 8  # ... in frames that overlap so much that it does not matter where they begin
NEIGHBOURS = 1  # frames on either side in which a frame's indices are heard, too


class Ear(nn.Module):
    """Tells how far decoded audio is from the original, frame by frame.

    That is the mean difference in loudness and, of speech, how much of it a listener would notice.
    """

    def __init__(self, rate_hz: int, high_hz: float, frame_samples: int, speech: bool = True) -> None:
        super().__init__()
        self.speech, self.frame_samples = speech, frame_samples

        def near(hop_ms: float) -> int:
            """A hop of about this length that divides a frame."""
            parts = max(1, round(1000 * frame_samples / (hop_ms * rate_hz)))
            while frame_samples % (2 * parts) and parts > 1:
                parts -= 1
            return frame_samples // parts

        self.mels = nn.ModuleList()
        for window_ms, hop_ms, bands in SCALES:
            hop = near(hop_ms)
            window = max(hop, 2 * round(window_ms * rate_hz / 2000))
            fft = 1 << (window - 1).bit_length()
            self.mels.append(LogMel(MelConfig(rate_hz, fft, window, hop, bands, high_hz=high_hz)))
        self.hearing = Loudness(rate_hz, near(HEARD_MS))

    def forward(self, audio: Tensor) -> list[Tensor]:
        """(batch, frames * frame_samples) -> loudness at each scale, (batch, frame, value)."""
        frames = audio.shape[1] // self.frame_samples
        return [(LOUDNESS * mel(audio)).exp().unflatten(1, (frames, -1)).flatten(2) for mel in self.mels]

    def beside(self, audio: Tensor, gain: Tensor, cleaner: Tensor | None = None) -> Difference:
        """A function that tells how far other audio is from this, (batch, frame).

        gain: that of all the recording, of which this is a part (see Loudness).  cleaner: how a system that takes noise
        away would like it; nothing is wanted much louder than there.
        """
        with torch.inference_mode(False):
            audio, gain = audio.clone(), gain.clone()
            wanted, power = self(audio), self.hearing.bands(gain * audio)
            if cleaner is not None:
                cleaner = cleaner.clone()
                wanted = [
                    torch.minimum(each, MUCH * clean)
                    for each, clean in zip(wanted, self(cleaner), strict=True)
                ]
                power = torch.minimum(power, MUCH ** (2 / LOUDNESS) * self.hearing.bands(gain * cleaner))

        def difference(made: Tensor) -> Tensor:
            each = [(ours - theirs).abs().mean(-1) for ours, theirs in zip(self(made), wanted, strict=True)]
            total = torch.stack(each).sum(0)
            if not self.speech:
                return total
            one, other = self.hearing.disturbances(self.hearing.bands(gain * made), power)
            return total + DISTURBING * (one + other).square().unflatten(1, (total.shape[1], -1)).mean(-1)

        return difference


def chosen(latent: Tensor, quantise: Quantise, differences: Differences, effort: int, step: float) -> Tensor:
    """The indices (batch, frame, ...) that came nearest.

    latent (batch, frame, ..., width): what the encoder says.  quantise: latents to what the decoder hears, with a
    gradient, and to indices.  differences: what the decoder hears to how far each frame (batch, frame) is from the
    original, one stretch after another, so that only one of them is in memory with all that a gradient needs.
    step: mean length of a move, in deviations of the latents.
    """
    rounds = ROUNDS_PER_EFFORT * (effort - 1)
    with torch.inference_mode(False), torch.enable_grad():
        latent = latent.clone()
        step, move = step * float(latent.std()), torch.zeros_like(latent)
        best = least = torch.empty(0)
        for left in reversed(range(rounds + 1)):
            latent = latent.detach().requires_grad_()
            heard, indices = quantise(latent)
            given = heard.detach().requires_grad_(left > 0)
            stretches = []
            with torch.set_grad_enabled(left > 0):
                for stretch in differences(given):
                    if left:
                        stretch.sum().backward()
                    stretches.append(stretch.detach())
            around = pad(torch.cat(stretches, 1).unsqueeze(1), (NEIGHBOURS, NEIGHBOURS), mode="replicate")
            around = avg_pool1d(around, 2 * NEIGHBOURS + 1, 1).squeeze(1)
            if not len(best):
                best, least = indices, around
            else:
                nearer = around < least
                best = torch.where(nearer.reshape(nearer.shape + (1,) * (indices.dim() - 2)), indices, best)
                least = torch.where(nearer, around, least)
            if left:
                (slope,) = torch.autograd.grad(heard, latent, given.grad)
                move = INERTIA * move + (1 - INERTIA) * slope
                # As long as the root of the slope, so that latents that matter less move, too.
                length = move.norm(dim=-1, keepdim=True).clamp(min=1e-12).sqrt()
                latent = latent - step * move / length / length.mean()
    return best


def chosen_in_pieces(
    latent: Tensor,
    quantise: Quantise,
    sound: Callable[[Tensor, Span], Tensor],
    ear: Ear,
    audio: Tensor,
    span: Span,
    pieces: Sequence[Span],
    effort: int,
    step: float,
) -> Tensor:
    """The indices (frame, ...) of one span, for a decoder with a finite field: in pieces that each have their context.

    sound: what the decoder hears of a piece, and the piece, to audio (1, sample).  audio (sample,): of all the span.
    """
    samples, unit = span.scaled(ear.frame_samples), ear.frame_samples
    gain = ear.hearing.gain(audio[None])
    beside = [ear.beside(audio[None, piece.scaled(unit).within(samples)], gain) for piece in pieces]

    def differences(heard: Tensor) -> Iterator[Tensor]:
        for piece, beside_it in zip(pieces, beside, strict=True):
            yield beside_it(sound(heard[:, piece.within(span)], piece))[:, piece.kept_slice]

    return chosen(latent, quantise, differences, effort, step)[0]
