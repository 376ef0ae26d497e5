"""A patch codec with random weights, small enough to run in no time, but loud."""

import dataclasses

import torch

from melcodec_cli.layers.pitch_config import PitchConfig
from melcodec_cli.systems.patch.config import Profile, TokenizerConfig, VocoderConfig
from melcodec_cli.systems.patch.patch import Patch

SMALL = dataclasses.replace(
    Profile(),
    name="small",
    tokenizer=TokenizerConfig(codewords=64, width=16, encoder_blocks=2, decoder_blocks=2),
    pitch=PitchConfig(bins=32, width=16, blocks=2),
    vocoder=VocoderConfig(width=16, blocks=2, noise_frames=40),
    chunk_columns=25,
)


def small_patch() -> Patch:
    torch.manual_seed(1)
    patch = Patch(SMALL)
    patch.tokenizer.mean.fill_(-4.0)
    torch.nn.init.normal_(patch.vocoder.noise)
    for stack in (patch.tokenizer.encoder.stack, patch.tokenizer.decoder.stack, patch.vocoder.stack):
        for block in stack.blocks:
            block.scale.data.fill_(1.0)
    return patch
