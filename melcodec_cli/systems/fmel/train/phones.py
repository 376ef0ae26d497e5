"""Training of the listener, by CTC on whole clips and their transcripts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import ctc_loss

from melcodec_cli.systems.fmel.config import Profile
from melcodec_cli.systems.fmel.train.letters import BLANK, letter_errors, merged, text_of
from melcodec_cli.systems.fmel.train.listener import Listener, ListenerConfig
from melcodec_cli.systems.fmel.train.utterances import Spoken
from melcodec_cli.train.batches import Crops
from melcodec_cli.train.task import MelTask, Moment


class PhonesTask(MelTask):
    stage: Listener

    def __init__(self, profile: Profile, config: ListenerConfig) -> None:
        super().__init__(profile.mel)
        self.profile = profile
        self.stage = Listener(profile.mel.bands, config)

    def heard(self, crops: Crops) -> Tensor:
        """All bands, as a narrow recording is judged as it is."""
        return torch.ones_like(self.edges_hz, dtype=torch.bool).expand(len(crops.audio), 1, -1)

    def _scores(self, crops: Spoken) -> tuple[Tensor, Tensor]:
        """Logits (batch, step, letter) and the number of steps of each clip (batch,)."""
        inside = crops.inside[:, :: self.profile.mel.hop_samples].unsqueeze(-1)
        return self.stage.scores(self.mel(crops.noisy), inside), self.stage.steps(inside).sum((1, 2))

    def loss(self, player: str, crops: Crops, moment: Moment) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(crops, Spoken)
        scores, steps = self._scores(crops)
        return letters_loss(scores, steps, crops), {}

    @torch.no_grad()
    def evaluate(self, crops: Crops) -> dict[str, float]:
        assert isinstance(crops, Spoken)
        scores, steps = self._scores(crops)
        best = scores.argmax(-1).tolist()
        heard = [text_of(merged(row[:count])) for row, count in zip(best, steps.tolist(), strict=True)]
        said = [text_of(row) for row in crops.letters.tolist()]
        wrong = sum(letter_errors(*pair) for pair in zip(said, heard, strict=True))
        return {
            "letter_error": wrong / sum(map(len, said)),
            "dev_ctc": letters_loss(scores, steps, crops).item(),
        }


def letters_loss(scores: Tensor, steps: Tensor, spoken: Spoken) -> Tensor:
    """CTC loss per letter.  scores (batch, step, letter), steps (batch,)."""
    with torch.autocast(scores.device.type, enabled=False):
        chances = scores.float().log_softmax(-1).transpose(0, 1)
        # A clip with more letters than steps cannot be learned, so it does not count.
        loss = ctc_loss(chances, spoken.letters, steps, spoken.counts, BLANK, "sum", zero_infinity=True)
    return loss / spoken.counts.sum()
