"""A coder of the full band can begin from one that knows only the lower bands."""

import dataclasses

import pytest
import torch

from melcodec_cli.systems.fmel.config import CoderConfig, Profile, TimbreConfig
from melcodec_cli.systems.fmel.train.coder import CoderLosses, CoderTask
from melcodec_cli.train.presets import read_preset


@pytest.mark.parametrize("frame_blocks", [0, 1])
def test_a_coder_of_more_bands_begins_as_the_one_of_fewer(frame_blocks: int) -> None:
    torch.manual_seed(1)
    narrow, wide = (_task(name, frame_blocks) for name in ("speech-16k-325", "speech-48k"))
    weights = {k: v for k, v in narrow.stage.state_dict().items() if k not in ("mean", "deviation")}
    missing, surplus = wide.stage.load_state_dict(wide.fitted(weights), strict=False)
    assert missing == ["mean", "deviation"] and not surplus

    low, high = torch.randn(2, 32, 80), torch.randn(2, 32, 24)
    kept = torch.ones(2, 8, dtype=torch.bool)
    indices, timbre = narrow.stage.encode(low, kept)
    assert torch.equal(wide.stage.encode(torch.cat([low, high], -1), kept)[0], indices)
    assert timbre is not None
    timbre = timbre.unsqueeze(1).expand(-1, 8, -1)
    said = wide.stage.decode(indices, timbre)
    assert torch.allclose(said[..., :80], narrow.stage.decode(indices, timbre), atol=1e-6)
    assert not said[..., 80:].any()


def test_a_coder_of_as_many_bands_begins_with_all_weights_as_they_are() -> None:
    task = _task("speech-48k", 0)
    weights = task.stage.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in task.fitted(weights).items())


def _task(preset: str, frame_blocks: int) -> CoderTask:
    whole = Profile.from_dict(read_preset(preset).profile)
    coder = CoderConfig(64, half_width=16, token_width=24, frame_width=16, encoder_frame_blocks=frame_blocks)
    profile = dataclasses.replace(whole, coder=coder, timbre=TimbreConfig(values=8, width=16, blocks=1))
    return CoderTask(profile, CoderLosses())
